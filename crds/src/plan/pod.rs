//! What is checked of the options for pods; the rest is Kubernetes' to judge.

use std::collections::BTreeMap;

use super::Problems;
use super::memory::SMALLEST;
use crate::pod::PodOptions;
use crate::scalar::Quantity;

pub(super) fn check_pod(at: &str, pod: Option<&PodOptions>, problems: &mut Problems) {
    let Some(pod) = pod else { return };
    if let Some(memory) = &pod.memory {
        let at = format!("{at}.memory");
        match memory.to_bytes() {
            // Below it the process has no room for one open file beside its own code and librdkafka's buffers.
            Ok(bytes) if bytes < SMALLEST => {
                problems.add(at, format!("{:?} is too small; write at least 128Mi", memory.0))
            }
            Ok(_) => {}
            Err(error) => problems.add(at, error.to_string()),
        }
    }
    if let Some(cpu) = &pod.cpu {
        check_cpu(&format!("{at}.cpu"), cpu, problems);
    }
    for (index, variable) in pod.env.iter().enumerate() {
        let at = format!("{at}.env[{index}].name");
        let name = &variable.name;
        if name.is_empty() || name.contains(['=', '\0']) {
            problems.add(at, format!("{name:?} is not the name of an environment variable"));
        } else if name.starts_with("GRISTMILL_") || name == "POD_NAME" {
            problems
                .add(at, format!("{name:?} is set by the operator; remove it: the resource's fields say what it says"));
        }
    }
    // Kubernetes merges these lists by key and refuses a key that stands there twice without the field's path.
    check_unique(&format!("{at}.env"), "name", pod.env.iter().map(|variable| variable.name.as_str()), problems);
    let secrets = pod.image_pull_secrets.iter().map(|secret| secret.name.as_str());
    check_unique(&format!("{at}.imagePullSecrets"), "name", secrets, problems);
    check_unique(&format!("{at}.hostAliases"), "ip", pod.host_aliases.iter().map(|alias| alias.ip.as_str()), problems);
    for (field, map) in [("labels", &pod.labels), ("annotations", &pod.annotations)] {
        for key in map.keys().filter(|key| key.starts_with("gristmill.dev/")) {
            problems.add(format!("{at}.{field}.{key}"), "is the operator's own; choose another name");
        }
    }
    if let Some(seconds) = pod.termination_grace_period_seconds
        && !(1..=3600).contains(&seconds)
    {
        problems.add(format!("{at}.terminationGracePeriodSeconds"), format!("{seconds} is outside 1 to 3600"));
    }
}

/// Each element of a list has a key of its own.
fn check_unique<'a>(at: &str, field: &str, keys: impl Iterator<Item = &'a str>, problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for (index, key) in keys.enumerate() {
        match first.get(key) {
            Some(before) => problems.add(
                format!("{at}[{index}].{field}"),
                format!("{key:?} stands there already, at [{before}]; remove one of them"),
            ),
            None => drop(first.insert(key, index)),
        }
    }
}

/// An amount of CPU as Kubernetes writes it.
pub(super) fn check_cpu(at: &str, cpu: &Quantity, problems: &mut Problems) {
    if let Err(error) = cpu.to_millicores() {
        problems.add(at, error.to_string());
    }
}
