{{- /* An image's name: (list $ image). */ -}}
{{- define "cutgate.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The host name that callers use. */ -}}
{{- define "cutgate.host" -}}
{{- $url := required "set settings.CUTGATE_PUBLIC_URL to the address that callers use" .Values.settings.CUTGATE_PUBLIC_URL -}}
{{- required "settings.CUTGATE_PUBLIC_URL must be like https://cutgate.example.com" (urlParse $url).hostname -}}
{{- end -}}

{{- /* The lane that workers are scaled by. */ -}}
{{- define "cutgate.lane" -}}
{{ .Values.settings.CUTGATE_MODEL }}:{{ .Values.settings.CUTGATE_PRECISION }}
{{- end -}}
