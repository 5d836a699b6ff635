"""`python -m deploy.helm` writes the chart and the alerts of the Prometheus Operator; it needs kubectl."""

from deploy.helm.chart import write

write()
