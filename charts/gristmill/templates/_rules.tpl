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
  - apiGroups: [policy]
    resources: [poddisruptionbudgets]
    verbs: [list, watch, get, create, patch]
  - apiGroups: [networking.k8s.io]
    resources: [networkpolicies]
    verbs: [list, watch, get, create, patch, delete]
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [list, watch]
  # The patch hands a pod its CPU and the token by which a hold ends, as annotations.
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch, patch]
  # CPU of a running worker, in place.
  - apiGroups: [""]
    resources: [pods/resize]
    verbs: [patch]
  # Why a pod does not start: a Secret that is missing is named nowhere else.
  - apiGroups: [""]
    resources: [events]
    verbs: [list]
  # What a turned condition of a resource is told by.
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end -}}
