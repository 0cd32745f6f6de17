//! The committed YAML is what the types say.

use gristmill_crds::{HourlyCompaction, StreamIngest, yaml};
use kube::CustomResourceExt;

#[test]
fn committed_yaml_equals_the_types() {
    for (file, committed, generated) in [
        ("streamingest.yaml", include_str!("../streamingest.yaml"), yaml(&StreamIngest::crd())),
        ("hourlycompaction.yaml", include_str!("../hourlycompaction.yaml"), yaml(&HourlyCompaction::crd())),
    ] {
        assert!(committed == generated, "crds/{file} is not what the types say; run `make gen` and commit the result");
    }
}

#[test]
fn no_default_stands_below_a_list() {
    // A default below a list makes GitOps tools report an eternal difference.
    fn check(path: &str, schema: &serde_json::Value, in_list: bool) {
        let serde_json::Value::Object(map) = schema else { return };
        assert!(!(in_list && map.contains_key("default")), "{path} has a default below a list");
        for (key, value) in map {
            check(&format!("{path}.{key}"), value, in_list || key == "items");
        }
    }
    for crd in [StreamIngest::crd(), HourlyCompaction::crd()] {
        let schema = serde_json::to_value(&crd).expect("a CRD is JSON");
        check("crd", &schema, false);
    }
}
