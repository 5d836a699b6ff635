// Validates objects, a JSON list on standard input, against the schemas of their custom resource definitions.
import { readFileSync } from "node:fs";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";

const kinds = { HTTPRoute, PodMonitor, PrometheusRule, ScaledObject };
for (const object of JSON.parse(readFileSync(0, "utf8"))) new kinds[object.kind](object).validate();
