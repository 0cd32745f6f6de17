{{/* Name of the operator's objects: gristmill-operator for a release called gristmill. */}}
{{- define "gristmill.name" -}}
{{- if contains "gristmill" .Release.Name -}}
{{ .Release.Name | trunc 54 | trimSuffix "-" }}-operator
{{- else -}}
{{ .Release.Name | trunc 44 | trimSuffix "-" }}-gristmill-operator
{{- end -}}
{{- end -}}

{{- define "gristmill.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "gristmill.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* What the Deployment selects by; it can't be changed later. */}}
{{- define "gristmill.selector" -}}
app.kubernetes.io/name: gristmill-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gristmill.labels" -}}
{{ include "gristmill.selector" . }}
app.kubernetes.io/part-of: gristmill
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "gristmill.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Options of the workers' pods where a resource says nothing; empty when there are none. */}}
{{- define "gristmill.podDefaults" -}}
{{- $defaults := dict -}}
{{- range $field := list "imagePullSecrets" "nodeSelector" "tolerations" -}}
{{- with index $.Values.worker $field -}}
{{- $_ := set $defaults $field . -}}
{{- end -}}
{{- end -}}
{{- with $defaults -}}
{{ toJson . }}
{{- end -}}
{{- end -}}
