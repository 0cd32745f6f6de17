//! A Secret, a ConfigMap or a key that is not there, read from what the kubelet says, and told with the field that
//! refers to it.
//!
//! The operator may read no Secret. The kubelet's sentence is the only trace of one that is missing: in an event when a
//! volume needs it, in the state of the container when an environment variable does.

use gristmill_crds::PodOptions;
use gristmill_crds::plan::{ReferenceKind, ReferenceUse};
use k8s_openapi::api::core::v1::EnvVarSource;

use crate::condition::State;
use crate::pod_state::Failure;
use crate::reason::Reason;

/// What the kubelet misses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it should be, or hold the key.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// The key, if the object is there and lacks it.
    pub key: Option<String>,
}

impl Missing {
    /// The reason of the condition that tells of it.
    pub fn reason(&self) -> Reason {
        match (&self.key, self.kind) {
            (Some(_), _) => Reason::KeyNotFound,
            (None, ReferenceKind::Secret) => Reason::SecretNotFound,
            (None, ReferenceKind::ConfigMap) => Reason::ConfigMapNotFound,
        }
    }
}

/// Reads the kubelet's sentences: `secret "books" not found` and `couldn't find key ca.crt in ConfigMap library/books`.
pub fn read(text: &str) -> Option<Missing> {
    for (word, kind) in [("secret \"", ReferenceKind::Secret), ("configmap \"", ReferenceKind::ConfigMap)] {
        let found = text.split(word).skip(1).find_map(|rest| rest.split_once("\" not found"));
        // A quoted name further on would be another object's.
        if let Some((name, _)) = found.filter(|(name, _)| !name.contains('"')) {
            return Some(Missing { kind, name: name.to_owned(), key: None });
        }
    }
    let (_, rest) = text.split_once("couldn't find key ")?;
    let (key, rest) = rest.split_once(" in ")?;
    let (kind, rest) = rest.split_once(' ')?;
    let kind = match kind {
        "Secret" => ReferenceKind::Secret,
        "ConfigMap" => ReferenceKind::ConfigMap,
        _ => return None,
    };
    let object = rest.split(|character: char| character.is_whitespace() || ",;".contains(character)).next()?;
    let name = object.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some(Missing { kind, name: name.to_owned(), key: Some(key.to_owned()) })
}

/// What `ResolvedRefs` says of the failures of all pods.
///
/// A pod that runs had all its volumes, so that nothing stays behind once what was missing has come.
pub fn resolved_refs<'a>(
    failures: impl IntoIterator<Item = &'a Failure>,
    uses: &[ReferenceUse],
    options: &PodOptions,
    namespace: &str,
) -> State {
    let told: Vec<&Failure> = failures.into_iter().filter(|failure| failure.reason.is_reference()).collect();
    let Some(Failure { reason, message, missing }) = told.first() else { return State::holds(Reason::Resolved, "") };
    if missing.is_empty() {
        return State::fails(reason.clone(), message.clone());
    }
    // All at once: a user who is told of one at a time waits two minutes for the next.
    let mut sentences: Vec<String> = Vec::new();
    for missing in told.iter().flat_map(|failure| &failure.missing) {
        let sentence = sentence(missing, uses, options, namespace);
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    State::fails(reason.clone(), sentences.join("; "))
}

fn sentence(missing: &Missing, uses: &[ReferenceUse], options: &PodOptions, namespace: &str) -> String {
    let Missing { kind, name, key } = missing;
    let kind_word = match kind {
        ReferenceKind::Secret => "Secret",
        ReferenceKind::ConfigMap => "ConfigMap",
    };
    let refers = |used: &&ReferenceUse| used.reference.kind == *kind && used.reference.name == *name;
    let mut fields: Vec<String> = uses.iter().filter(refers).map(|used| used.field.clone()).collect();
    fields.extend(environment(options, *kind, name));
    let fields = if fields.is_empty() { "a pod".to_owned() } else { fields.join(" and ") };
    match key {
        None => format!(
            "{fields}: {kind_word} {name:?} does not exist in namespace {namespace:?}; create it, and the pod starts by \
             itself within two minutes, or correct the reference"
        ),
        Some(key) => format!(
            "{fields}: {kind_word} {name:?} in namespace {namespace:?} has no key {key:?}; add the key, and the pod starts \
             by itself, or correct the reference"
        ),
    }
}

/// Environment variables of the pod that come from this object.
fn environment(options: &PodOptions, kind: ReferenceKind, name: &str) -> Vec<String> {
    let named = |source: &EnvVarSource| match kind {
        ReferenceKind::Secret => source.secret_key_ref.as_ref().is_some_and(|key| key.name == name),
        ReferenceKind::ConfigMap => source.config_map_key_ref.as_ref().is_some_and(|key| key.name == name),
    };
    let field = match kind {
        ReferenceKind::Secret => "secretKeyRef",
        ReferenceKind::ConfigMap => "configMapKeyRef",
    };
    let variables = options.env.iter().enumerate();
    let from = variables.filter(|(_, variable)| variable.value_from.as_ref().is_some_and(named));
    from.map(|(index, _)| format!("spec.pod.env[{index}].valueFrom.{field}")).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::mount(
        "MountVolume.SetUp failed for volume \"reference-0\" : secret \"kafka-sasl\" not found",
        Some((ReferenceKind::Secret, "kafka-sasl", None))
    )]
    #[case::mount_of_config_map(
        "MountVolume.SetUp failed for volume \"reference-1\" : configmap \"hadoop-conf\" not found",
        Some((ReferenceKind::ConfigMap, "hadoop-conf", None))
    )]
    #[case::variable("secret \"proxy\" not found", Some((ReferenceKind::Secret, "proxy", None)))]
    #[case::key("couldn't find key password in Secret library/proxy", Some((ReferenceKind::Secret, "proxy", Some("password"))))]
    #[case::key_of_config_map(
        "couldn't find key ca.crt in ConfigMap library/ca, and more",
        Some((ReferenceKind::ConfigMap, "ca", Some("ca.crt")))
    )]
    #[case::other_volume("MountVolume.SetUp failed for volume \"data\" : timed out waiting", None)]
    #[case::other_object("serviceaccount \"books\" not found", None)]
    #[case::cut("couldn't find key ", None)]
    fn sentences_of_the_kubelet_are_read(
        #[case] text: &str,
        #[case] expected: Option<(ReferenceKind, &str, Option<&str>)>,
    ) {
        let read = read(text);
        let read = read.as_ref().map(|missing| (missing.kind, missing.name.as_str(), missing.key.as_deref()));
        assert_eq!(read, expected);
    }
}
