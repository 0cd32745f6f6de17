//! The committed YAML is what the types say.

use gristmill_crds::{HourlyCompaction, StreamIngest, definition, helm_template, yaml};
use kube::CustomResourceExt;

#[test]
fn committed_yaml_equals_the_types() {
    for (file, committed, generated) in [
        ("streamingest.yaml", include_str!("../streamingest.yaml"), yaml(&definition::<StreamIngest>())),
        ("hourlycompaction.yaml", include_str!("../hourlycompaction.yaml"), yaml(&definition::<HourlyCompaction>())),
    ] {
        assert!(committed == generated, "crds/{file} is not what the types say; run `make gen` and commit the result");
    }
}

#[test]
fn templates_of_the_chart_equal_the_types() {
    for (file, definition) in [
        ("streamingest.yaml", definition::<StreamIngest>()),
        ("hourlycompaction.yaml", definition::<HourlyCompaction>()),
    ] {
        let path = format!("charts/gristmill/templates/crds/{file}");
        let committed = std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR")));
        let equal = committed.is_ok_and(|committed| committed == helm_template(definition));
        assert!(equal, "{path} is not what the types say; run `make gen` and commit the result");
    }
}

#[test]
fn chart_and_manifests_have_the_version_of_the_workspace() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = include_str!("../../charts/gristmill/Chart.yaml");
    for line in [format!("\nversion: {version}\n"), format!("\nappVersion: \"{version}\"\n")] {
        assert!(chart.contains(&line), "charts/gristmill/Chart.yaml has no line {:?}", line.trim());
    }
    let operator = include_str!("../../manifests/operator/deployment.yaml");
    let images = operator.matches(&format!("gristmill:{version}")).count();
    assert_eq!(images, 2, "manifests/operator/deployment.yaml does not name the image gristmill:{version} twice");
}

#[test]
fn resource_that_no_operator_has_seen_is_pending() {
    // Without a status tools take a custom resource for healthy.
    for crd in [StreamIngest::crd(), HourlyCompaction::crd()] {
        let schema = serde_json::to_value(&crd).expect("a CRD is JSON");
        let ready = "/spec/versions/0/schema/openAPIV3Schema/properties/status/default/conditions/0";
        let ready = schema.pointer(ready).unwrap_or_else(|| panic!("{} has no default status", crd.spec.names.kind));
        assert_eq!(
            (&ready["type"], &ready["status"], &ready["reason"]),
            (&"Ready".into(), &"Unknown".into(), &"Pending".into())
        );
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

/// Calls `visit` with every schema of both specs and its path.
fn every_schema_of_the_specs(visit: &mut impl FnMut(&str, &serde_json::Map<String, serde_json::Value>)) {
    fn walk(
        path: &str,
        schema: &serde_json::Value,
        visit: &mut impl FnMut(&str, &serde_json::Map<String, serde_json::Value>),
    ) {
        let serde_json::Value::Object(schema) = schema else { return };
        visit(path, schema);
        if let Some(serde_json::Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                walk(&format!("{path}.{name}"), property, visit);
            }
        }
        for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(inner) = schema.get(key) {
                walk(&format!("{path}{suffix}"), inner, visit);
            }
        }
    }
    for crd in [StreamIngest::crd(), HourlyCompaction::crd()] {
        let schema = serde_json::to_value(&crd).expect("a CRD is JSON");
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        walk(&format!("{}.spec", crd.spec.names.kind), schema.pointer(spec).expect("a spec"), visit);
    }
}

#[test]
fn every_list_map_and_text_of_a_spec_is_bounded() {
    // What is unbounded today can't be bounded tomorrow without breaking users, and the cost of CEL rules rests on it.
    let mut seen = 0;
    every_schema_of_the_specs(&mut |path, schema| {
        let bounded = |key: &str| assert!(schema.contains_key(key), "{path} has no {key}");
        match schema.get("type").and_then(serde_json::Value::as_str) {
            Some("string") if !schema.contains_key("enum") => bounded("maxLength"),
            Some("array") => bounded("maxItems"),
            Some("object") if schema.contains_key("additionalProperties") => bounded("maxProperties"),
            _ => return,
        }
        seen += 1;
    });
    assert!(seen > 100, "the walk has seen {seen} schemas only");
}

#[test]
fn every_field_of_a_spec_is_described() {
    every_schema_of_the_specs(&mut |path, schema| {
        let item = path.ends_with("[]") || path.ends_with("{}");
        assert!(item || schema.contains_key("description"), "{path} has no description");
    });
}

#[test]
fn every_rule_says_what_to_do() {
    let mut rules = 0;
    every_schema_of_the_specs(&mut |path, schema| {
        let validations = schema.get("x-kubernetes-validations").and_then(serde_json::Value::as_array);
        for rule in validations.into_iter().flatten() {
            let message = rule.get("message").and_then(serde_json::Value::as_str).unwrap_or_default();
            assert!(message.len() > 15, "a rule of {path} has no message: {rule}");
            rules += 1;
        }
    });
    assert!(rules >= 15, "the walk has seen {rules} rules only");
}
