"""The Helm chart, made from the manifests of `deploy/kubernetes`."""
