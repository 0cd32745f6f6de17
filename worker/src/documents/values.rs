//! Secrets and ConfigMaps that stand beside the resources in the files.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

/// The keys and values of one Secret or ConfigMap.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueDocument {
    /// `metadata.name`.
    pub name: String,
    /// Values by key, decoded.
    pub values: BTreeMap<String, Vec<u8>>,
}

/// Names only: values are secrets.
impl std::fmt::Debug for ValueDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueDocument").field("name", &self.name).field("keys", &self.values.keys()).finish()
    }
}

impl From<Secret> for ValueDocument {
    fn from(Secret { metadata, data, string_data, .. }: Secret) -> Self {
        let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        values.extend(data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)));
        // As the API server has it: stringData wins.
        values.extend(string_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes())));
        Self { name: metadata.name.unwrap_or_default(), values }
    }
}

impl From<ConfigMap> for ValueDocument {
    fn from(ConfigMap { metadata, data, binary_data, .. }: ConfigMap) -> Self {
        let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        values.extend(data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes())));
        values.extend(binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)));
        Self { name: metadata.name.unwrap_or_default(), values }
    }
}
