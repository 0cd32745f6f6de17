//! Golden copies of every object that is built for the quickstart.

use gristmill_crds::plan::{CompactionPlan, IngestPlan};
use gristmill_crds::{HourlyCompaction, IngestProjection, Quantity, StreamIngest};
use gristmill_operator::context::Settings;
use gristmill_operator::hourly_compaction::size::RunSize;
use gristmill_operator::installation::Installation;
use gristmill_operator::pod::PodDefaults;
use gristmill_operator::stream_ingest::observe::Observed;
use gristmill_operator::stream_ingest::sizing::{self, Memory, Situation};
use gristmill_operator::{hourly_compaction, stream_ingest};
use serde_json::Value;

use crate::documents::quickstart;

fn settings() -> Settings {
    Settings {
        worker_image: "gristmill:0.1.0".to_owned(),
        image_pull_policy: None,
        pod_defaults: PodDefaults::default(),
        namespace: "gristmill-system".to_owned(),
        installation: Installation::new("gristmill-system", "gristmill-operator"),
    }
}

fn built(ingest: &StreamIngest) -> stream_ingest::build::Wanted {
    built_with(ingest, &settings())
}

fn built_with(ingest: &StreamIngest, settings: &Settings) -> stream_ingest::build::Wanted {
    let plan = IngestPlan::try_from(ingest).unwrap();
    let pod = ingest.spec.pod.as_ref();
    let sizing = sizing::decide(Situation {
        plan: &plan,
        document_cpu: gristmill_operator::pod::document_cpu(pod).to_millicores().unwrap(),
        partitions: None,
        observed: &Observed::default(),
        memory: Memory::default(),
        now: jiff::Timestamp::UNIX_EPOCH,
    });
    stream_ingest::build::build(ingest, &plan, &sizing, None, settings)
}

fn text_of(config_map: &k8s_openapi::api::core::v1::ConfigMap) -> &str {
    &config_map.data.as_ref().unwrap()["resource.yaml"]
}

#[test]
fn stream_ingest_builds_its_objects() {
    let (ingest, _) = quickstart();
    let wanted = built(&ingest);
    insta::assert_yaml_snapshot!("ingest_service_account", wanted.service_account);
    insta::assert_yaml_snapshot!("ingest_config_map", wanted.config_map);
    insta::assert_yaml_snapshot!("ingest_deployment", wanted.deployment);
    insta::assert_yaml_snapshot!("ingest_disruption_budget", wanted.disruption_budget);
    insta::assert_yaml_snapshot!("ingest_network_policy", wanted.network_policy);
}

#[test]
fn hourly_compaction_builds_its_three_objects() {
    let (ingest, compaction) = quickstart();
    let plan = CompactionPlan::try_new(&compaction, &ingest).unwrap();
    let wanted = hourly_compaction::build::build(&compaction, &ingest, &plan, &RunSize::of_document(None), &settings());
    insta::assert_yaml_snapshot!("compaction_service_account", wanted.service_account);
    insta::assert_yaml_snapshot!("compaction_config_map", wanted.config_map);
    insta::assert_yaml_snapshot!("compaction_cron_job", wanted.cron_job);
}

#[test]
fn run_that_pods_share_is_an_indexed_job_of_which_each_index_is_retried_alone() {
    let (ingest, compaction) = quickstart();
    let plan = CompactionPlan::try_new(&compaction, &ingest).unwrap();
    let size = RunSize { cpu: Quantity("4".into()), memory: Quantity("2Gi".into()), parallelism: 3 };
    let cron_job = hourly_compaction::build::build(&compaction, &ingest, &plan, &size, &settings()).cron_job;
    insta::assert_yaml_snapshot!("compaction_indexed_job", cron_job.spec.unwrap().job_template.spec.unwrap());
}

#[test]
fn worker_reads_the_mounted_document_as_the_operator_wrote_it() {
    let (mut ingest, _) = quickstart();
    // Words and numbers that YAML readers disagree about.
    ingest.spec.record.columns[3].null_if =
        ["NO", "off", "1.0", "~", "", "2026-01-31", "a: b"].map(str::to_owned).into();
    let wanted = built(&ingest);
    let read: StreamIngest = serde_saphyr::from_str(text_of(&wanted.config_map)).unwrap();
    assert_eq!(read, IngestProjection::new(&ingest).ingest);
    assert_eq!(IngestPlan::try_from(&read).unwrap().spec_digest, IngestPlan::try_from(&ingest).unwrap().spec_digest);
    for word in ["\"NO\"", "\"off\"", "\"1.0\""] {
        let single = word.replace('"', "'");
        let text = text_of(&wanted.config_map);
        assert!(text.contains(word) || text.contains(&single), "{word} is not quoted in:\n{text}");
    }
}

#[test]
fn compaction_reads_both_mounted_documents_as_the_operator_wrote_them() {
    let (ingest, compaction) = quickstart();
    let plan = CompactionPlan::try_new(&compaction, &ingest).unwrap();
    let wanted = hourly_compaction::build::build(&compaction, &ingest, &plan, &RunSize::of_document(None), &settings());
    let documents: Vec<Value> = serde_saphyr::from_multiple(text_of(&wanted.config_map)).unwrap();
    let compaction: HourlyCompaction = serde_json::from_value(documents[0].clone()).unwrap();
    let ingest: StreamIngest = serde_json::from_value(documents[1].clone()).unwrap();
    assert_eq!(CompactionPlan::try_new(&compaction, &ingest).unwrap().spec_digest, plan.spec_digest);
}

#[test]
fn pod_size_does_not_rename_the_config_map() {
    let (mut ingest, _) = quickstart();
    let before = built(&ingest);
    ingest.spec.pod = Some(serde_json::from_value(serde_json::json!({"cpu": "2", "memory": "1024Mi"})).unwrap());
    let after = built(&ingest);
    assert_eq!(before.config_map, after.config_map);
    assert_ne!(before.deployment, after.deployment);
}

#[test]
fn network_policy_lets_in_who_is_named_and_out_what_is_named() {
    let (mut ingest, _) = quickstart();
    ingest.spec.network_policy = Some(
        serde_json::from_value(serde_json::json!({
            "mode": "IngressAndEgress",
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 9093}]}],
        }))
        .unwrap(),
    );
    insta::assert_yaml_snapshot!("ingest_network_policy_both_ways", built(&ingest).network_policy);
}

#[test]
fn defaults_of_the_operator_reach_the_pods_of_both_kinds() {
    let (ingest, compaction) = quickstart();
    let settings = Settings { pod_defaults: "nodeSelector: {disk: ssd}".parse().unwrap(), ..settings() };
    let deployment = built_with(&ingest, &settings).deployment;
    let plan = CompactionPlan::try_new(&compaction, &ingest).unwrap();
    let cron_job =
        hourly_compaction::build::build(&compaction, &ingest, &plan, &RunSize::of_document(None), &settings).cron_job;
    let job = cron_job.spec.unwrap().job_template.spec.unwrap();
    for template in [deployment.spec.unwrap().template, job.template] {
        assert_eq!(template.spec.unwrap().node_selector.unwrap()["disk"], "ssd");
    }
}

#[test]
fn options_for_pods_and_what_the_documents_refer_to_stand_in_the_template() {
    let (mut ingest, _) = quickstart();
    ingest.spec.pod = Some(
        serde_json::from_value(serde_json::json!({
            "image": "registry.example.com/gristmill:0.1.0",
            "imagePullSecrets": [{"name": "registry"}],
            "annotations": {"sidecar.istio.io/inject": "false"},
            "labels": {"team": "library"},
            "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["datanode-0"]}],
            "dnsConfig": {"searches": ["kafka.svc.cluster.local"]},
            "env": [{"name": "RUST_LOG", "value": "info"}],
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "priorityClassName": "low",
            "serviceAccountName": "books",
            "terminationGracePeriodSeconds": 90,
        }))
        .unwrap(),
    );
    ingest.spec.source.kafka.security = Some(
        serde_json::from_value(serde_json::json!({
            "tls": {"caConfigMapKeyRef": {"name": "kafka-ca", "key": "ca.crt"}},
            "sasl": {"mechanism": "ScramSha512", "username": "books", "passwordSecretKeyRef": {"name": "sasl", "key": "password"}},
        }))
        .unwrap(),
    );
    insta::assert_yaml_snapshot!("ingest_pod_template", built(&ingest).deployment.spec.unwrap().template);
}
