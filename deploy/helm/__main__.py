"""`python -m deploy.helm` writes the chart and the alerts of the Prometheus Operator; it needs kubectl."""

from deploy.helm.chart import write
from deploy.helm.objects import ALERTS, alerts

ALERTS.write_text(alerts(), encoding="utf-8")
write()
