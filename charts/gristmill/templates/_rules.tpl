{{/* The very rules of manifests/operator/cluster-role.yaml: a test of the operator compares. */}}
{{- define "gristmill.rules" -}}
rules:
  - apiGroups: [gristmill.dev]
    resources: [streamingests, hourlycompactions]
    verbs: [list, watch]
  - apiGroups: [gristmill.dev]
    resources: [streamingests/status, hourlycompactions/status]
    verbs: [patch]
  # Owner references with blockOwnerDeletion, where OwnerReferencesPermissionEnforcement is on (OpenShift).
  - apiGroups: [gristmill.dev]
    resources: [streamingests/finalizers, hourlycompactions/finalizers]
    verbs: [update]
  # Server-side apply is a patch, and a create when the object is new. The get asks whether a name is taken.
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [list, watch, get, create, patch]
  - apiGroups: [batch]
    resources: [cronjobs]
    verbs: [list, watch, get, create, patch]
  - apiGroups: [""]
    resources: [serviceaccounts]
    verbs: [list, watch, get, create, patch]
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [list, watch, get, create, patch, delete]
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [list, watch]
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch]
{{- end -}}
