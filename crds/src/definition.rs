//! The definitions that a cluster is given, as `kubectl explain` shows them best.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::yaml;

/// The definition of a kind, its descriptions as paragraphs without line breaks.
///
/// `kubectl explain` wraps lines itself, and shows those of the source as ragged ones.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(K::crd()).expect("a CRD is JSON");
    reflow_descriptions(&mut crd);
    serde_json::from_value(crd).expect("a CRD with other descriptions is a CRD")
}

/// The definition as a template of the Helm chart.
///
/// A template, since Helm never upgrades what lies in a chart's own folder `crds`. Kept, since with the definition the
/// cluster would delete every resource of the kind.
pub fn helm_template(mut crd: CustomResourceDefinition) -> String {
    crd.metadata.annotations.get_or_insert_default().insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    let text = yaml(&crd);
    assert!(!text.contains("{{"), "a description has {{{{, which Helm would take for an action");
    format!("{{{{- /* Generated: `make gen` */ -}}}}\n{{{{- if .Values.crds.install }}}}\n{text}{{{{- end }}}}\n")
}

fn reflow_descriptions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::String(text) if key == "description" => *text = reflowed(text),
                    _ => reflow_descriptions(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(reflow_descriptions),
        _ => {}
    }
}

/// Paragraphs stay apart, and items of a list stay lines.
fn reflowed(text: &str) -> String {
    let mut reflowed = String::with_capacity(text.len());
    for line in text.lines().map(str::trim) {
        let joins = !reflowed.is_empty() && !reflowed.ends_with('\n') && !line.is_empty() && !line.starts_with("- ");
        match (joins, reflowed.is_empty()) {
            (true, _) => reflowed.push(' '),
            (false, false) => reflowed.push('\n'),
            (false, true) => {}
        }
        reflowed.push_str(line);
    }
    reflowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_are_joined_and_paragraphs_and_lists_stay() {
        let text = "One line\nand its end.\n\nAnother paragraph\nof two lines:\n- one\n- two\nand its end";
        let expected = "One line and its end.\n\nAnother paragraph of two lines:\n- one\n- two and its end";
        assert_eq!(reflowed(text), expected);
    }
}
