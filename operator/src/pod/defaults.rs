//! What the operator was started with for all pods, where a resource says nothing.

use std::collections::BTreeMap;
use std::str::FromStr;

use gristmill_crds::PodOptions;
use k8s_openapi::api::core::v1::{LocalObjectReference, Toleration};

/// Options of pods that hold for every resource which does not set them itself.
///
/// They are those that a cluster asks for, whoever the tenant is. Sizes and environment are the tenant's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodDefaults {
    image_pull_secrets: Vec<LocalObjectReference>,
    node_selector: BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
}

impl PodDefaults {
    /// The options of a resource, completed. A field that the resource sets replaces the default as a whole.
    pub fn complete(&self, mut options: PodOptions) -> PodOptions {
        if options.image_pull_secrets.is_empty() {
            options.image_pull_secrets.clone_from(&self.image_pull_secrets);
        }
        if options.node_selector.is_empty() {
            options.node_selector.clone_from(&self.node_selector);
        }
        if options.tolerations.is_empty() {
            options.tolerations.clone_from(&self.tolerations);
        }
        options
    }
}

impl FromStr for PodDefaults {
    type Err = String;

    /// Reads YAML or JSON of the form of `spec.pod`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut options: PodOptions = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let defaults = Self {
            image_pull_secrets: std::mem::take(&mut options.image_pull_secrets),
            node_selector: std::mem::take(&mut options.node_selector),
            tolerations: std::mem::take(&mut options.tolerations),
        };
        if options == PodOptions::default() {
            Ok(defaults)
        } else {
            Err("only imagePullSecrets, nodeSelector and tolerations have defaults; the rest is for each resource's spec.pod".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = r#"{"imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"disk": "ssd", "zone": "a"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}]}"#;

    fn options(text: &str) -> PodOptions {
        serde_saphyr::from_str(text).expect("options of a pod")
    }

    #[test]
    fn resource_that_says_nothing_gets_every_default() {
        let defaults: PodDefaults = DEFAULTS.parse().expect("defaults");
        assert_eq!(defaults.complete(PodOptions::default()), options(DEFAULTS));
    }

    #[test]
    fn field_of_the_resource_replaces_the_default_as_a_whole() {
        let defaults: PodDefaults = DEFAULTS.parse().expect("defaults");
        let own = options("nodeSelector: {disk: hdd}\ncpu: 2\ntolerations: [{key: own}]");
        let expected = options(
            "nodeSelector: {disk: hdd}\ncpu: 2\ntolerations: [{key: own}]\nimagePullSecrets: [{name: registry}]",
        );
        assert_eq!(defaults.complete(own), expected);
    }

    #[test]
    fn what_has_no_default_is_refused() {
        let error = "memory: 1Gi".parse::<PodDefaults>().expect_err("sizes are each resource's own");
        assert!(error.contains("spec.pod"), "{error}");
        let error = "tolerations: [{kye: x}]".parse::<PodDefaults>().expect_err("a misspelt field");
        assert!(error.contains("kye"), "{error}");
    }
}
