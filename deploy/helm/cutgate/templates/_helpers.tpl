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

{{- /* A metric of a lane that KEDA reads from the gateways: (list $ name metric lane). */ -}}
{{- define "cutgate.trigger" -}}
{{- $url := printf "http://gateway-metrics.%s.svc:9101/metrics" (index . 0).Release.Namespace -}}
{{- $location := printf "%s{lane=%q}" (index . 2) (index . 3) -}}
{{- $metadata := dict "url" $url "format" "prometheus" "valueLocation" $location "targetValue" "4" -}}
{{- dict "type" "metrics-api" "name" (index . 1) "metadata" $metadata | toJson -}}
{{- end -}}

{{- /* The settings, with those of workers that scale to zero. */ -}}
{{- define "cutgate.settings" -}}
{{- $more := dict -}}
{{- if and .Values.autoscaling.enabled (not .Values.worker.minReplicas) -}}
{{- $more = dict "CUTGATE_SCALE_TO_ZERO" "1" "CUTGATE_OFFER_MEMORY_SECONDS" "7776000" -}}
{{- end -}}
{{- merge (dict) .Values.settings $more | toJson -}}
{{- end -}}
