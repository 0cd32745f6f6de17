//! Gauges of the resources, read from spec and status when somebody asks.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gristmill_crds::Quantity;
use gristmill_crds::plan::{DEFAULT_CATCH_UP, DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE, Schedule};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::DynamicObject;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::Caches;
use crate::condition::ConditionType;
use crate::hourly_compaction::Compaction;
use crate::labels::{STREAM_INGEST, owner_name};
use crate::stream_ingest::observe::is_staying;
use crate::stream_ingest::{Stream, pod_cpu};

/// The resources in the caches as gauges.
pub(super) struct Resources {
    caches: Arc<Mutex<Caches>>,
    /// Longest gap by schedule and time zone: it takes years of starts to find, and there are few different ones.
    periods: Mutex<HashMap<(String, String), Option<f64>>>,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resources")
    }
}

/// Namespace, name and value.
type Series = (String, String, f64);

impl Resources {
    pub(super) fn new(caches: Arc<Mutex<Caches>>) -> Self {
        Self { caches, periods: Mutex::default() }
    }

    /// Time between two runs; none while nothing is expected of them.
    fn period(&self, compaction: &Compaction, streams: &[Stream]) -> Option<f64> {
        let spec = &compaction.typed().ok()?.spec;
        let sleeps = |stream: &Stream| {
            stream.namespace() == compaction.namespace()
                && stream.name() == spec.ingest_ref.name
                && stream.typed().is_ok_and(|stream| stream.spec.suspend == Some(true))
        };
        if spec.suspend == Some(true) || streams.iter().any(sleeps) {
            return None;
        }
        let schedule = spec.schedule.clone().unwrap_or_else(|| DEFAULT_SCHEDULE.to_owned());
        let zone = spec.time_zone.clone().unwrap_or_else(|| DEFAULT_TIME_ZONE.to_owned());
        let mut periods = self.periods.lock().unwrap_or_else(PoisonError::into_inner);
        *periods.entry((schedule, zone)).or_insert_with_key(|(schedule, zone)| {
            let gap = Schedule::try_new(schedule, zone).ok()?.longest_gap()?;
            Some(gap.to_std().ok()?.as_secs_f64())
        })
    }
}

impl Collector for Resources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let objects = |stores: &[Store<DynamicObject>]| stores.iter().flat_map(Store::state).collect::<Vec<_>>();
        let streams: Vec<Stream> = objects(&caches.streams).iter().map(|object| Stream::read(object)).collect();
        let compactions: Vec<Compaction> =
            objects(&caches.compactions).iter().map(|object| Compaction::read(object)).collect();
        let pods: Vec<_> = caches.pods.iter().flat_map(Store::state).collect();
        drop(caches);
        ready(&mut encoder, &streams, &compactions)?;
        let of_streams = |value: &dyn Fn(&Stream) -> Option<f64>| -> Vec<Series> {
            let series = |stream: &Stream| Some((stream.namespace().into(), stream.name().into(), value(stream)?));
            streams.iter().filter_map(series).collect()
        };
        let of_compactions = |value: &dyn Fn(&Compaction) -> Option<f64>| -> Vec<Series> {
            let series = |of: &Compaction| Some((of.namespace().into(), of.name().into(), value(of)?));
            compactions.iter().filter_map(series).collect()
        };
        seconds(
            &mut encoder,
            "gristmill_ingest_catch_up_target",
            "Time in which a backlog is to be worked off, as the resource says.",
            of_streams(&catch_up),
        )?;
        let sizing = |stream: &Stream| stream.status.sizing.clone();
        let of = |stream: &Stream| {
            let belongs = |pod: &Pod| {
                pod.metadata.namespace.as_deref() == Some(stream.namespace())
                    && owner_name(&pod.metadata, STREAM_INGEST) == Some(stream.name())
            };
            let workers = pods.iter().filter(|pod| belongs(pod) && is_staying(pod));
            workers.map(|pod| pod_cpu::granted(pod).unwrap_or(0)).collect::<Vec<_>>()
        };
        plain(
            &mut encoder,
            "gristmill_operator_recommended_replicas",
            "Workers that were decided or, in mode Advise, would be.",
            of_streams(&|stream| Some(f64::from(sizing(stream)?.desired_replicas))),
        )?;
        cores(
            &mut encoder,
            "gristmill_operator_recommended_cpu",
            "CPU of all workers together that was decided or, in mode Advise, would be.",
            of_streams(&|stream| {
                let sizing = sizing(stream)?;
                let each = Quantity(sizing.cpu_per_worker.clone()).to_millicores().ok()?;
                Some(f64::from(sizing.desired_replicas) * f64::from(each) / 1000.0)
            }),
        )?;
        plain(
            &mut encoder,
            "gristmill_operator_actual_replicas",
            "Pods of workers that there are.",
            of_streams(&|stream| Some(of(stream).len() as f64)),
        )?;
        cores(
            &mut encoder,
            "gristmill_operator_actual_cpu",
            "CPU that the pods of all workers have together, as request.",
            of_streams(&|stream| Some(of(stream).iter().copied().map(f64::from).sum::<f64>() / 1000.0)),
        )?;
        seconds(
            &mut encoder,
            "gristmill_compaction_processed_through_timestamp",
            "Every message before this time is in the Processed zone, in seconds since 1970.",
            of_compactions(&|compaction| since_1970(compaction.status.processed_through.as_deref()?)),
        )?;
        seconds(
            &mut encoder,
            "gristmill_compaction_last_success_timestamp",
            "End of the newest run that succeeded, in seconds since 1970.",
            of_compactions(&|compaction| since_1970(compaction.status.last_successful_time.as_deref()?)),
        )?;
        seconds(
            &mut encoder,
            "gristmill_compaction_created_timestamp",
            "When the resource was created, in seconds since 1970.",
            of_compactions(&|compaction| Some(seconds_of(compaction.metadata.creation_timestamp.as_ref()?.0))),
        )?;
        seconds(
            &mut encoder,
            "gristmill_compaction_schedule_period",
            "Longest time between two runs by the schedule; absent while the resource or its StreamIngest is suspended.",
            of_compactions(&|compaction| self.period(compaction, &streams)),
        )?;
        cores(
            &mut encoder,
            "gristmill_compaction_desired_cpu",
            "CPU that the next run is to have in all its pods, by what was measured; absent in mode Manual.",
            of_compactions(&desired_cpu),
        )?;
        cores(
            &mut encoder,
            "gristmill_compaction_last_run_cpu",
            "CPU that all pods of the newest run with new rows requested together.",
            of_compactions(&last_run_cpu),
        )
    }
}

fn ready(
    encoder: &mut DescriptorEncoder<'_>,
    streams: &[Stream],
    compactions: &[Compaction],
) -> Result<(), fmt::Error> {
    let help = "1 if the condition Ready of the resource is True, else 0; absent of a compaction that has not run.";
    let mut metric = encoder.encode_descriptor("gristmill_resource_ready", help, None, MetricType::Gauge)?;
    let status = |conditions: &[Condition]| {
        crate::condition::find(conditions, ConditionType::Ready).map(|ready| ready.status.clone()).unwrap_or_default()
    };
    let streams = streams.iter().map(|of| ("StreamIngest", of.namespace(), of.name(), status(&of.status.conditions)));
    // Unknown is a worker that does not come; of a compaction it is that its first run is due some time.
    let compactions = compactions
        .iter()
        .map(|of| ("HourlyCompaction", of.namespace(), of.name(), status(&of.status.conditions)))
        .filter(|(.., status)| ["True", "False"].contains(&status.as_str()));
    for (kind, namespace, name, status) in streams.chain(compactions) {
        let value = i64::from(status == "True");
        let labels = [("kind", kind), ("namespace", namespace), ("name", name)];
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn seconds(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, series: Vec<Series>) -> Result<(), fmt::Error> {
    gauge(encoder, (name, help, Some(&Unit::Seconds)), series)
}

fn cores(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, series: Vec<Series>) -> Result<(), fmt::Error> {
    gauge(encoder, (name, help, Some(&Unit::Other("cores".to_owned()))), series)
}

fn plain(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, series: Vec<Series>) -> Result<(), fmt::Error> {
    gauge(encoder, (name, help, None), series)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, unit): (&str, &str, Option<&Unit>),
    series: Vec<Series>,
) -> Result<(), fmt::Error> {
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (namespace, name, value) in series {
        ConstGauge::new(value).encode(metric.encode_family(&[("namespace", namespace), ("name", name)])?)?;
    }
    Ok(())
}

fn desired_cpu(compaction: &Compaction) -> Option<f64> {
    let sizing = compaction.status.sizing.as_ref()?;
    Some(in_cores(&sizing.cpu)? * f64::from(sizing.parallelism))
}

fn last_run_cpu(compaction: &Compaction) -> Option<f64> {
    in_cores(compaction.status.runs.first()?.cpu.as_deref()?)
}

fn in_cores(cpu: &str) -> Option<f64> {
    Some(f64::from(Quantity(cpu.to_owned()).to_millicores().ok()?) / 1000.0)
}

fn catch_up(stream: &Stream) -> Option<f64> {
    let scaling = stream.typed().ok()?.spec.scaling.as_ref();
    let wanted = scaling.and_then(|scaling| scaling.catch_up_duration.as_ref());
    let duration = wanted.map_or(Ok(DEFAULT_CATCH_UP), |duration| duration.to_duration());
    Some(duration.ok()?.as_secs_f64())
}

fn since_1970(time: &str) -> Option<f64> {
    time.parse().ok().map(seconds_of)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn seconds_of(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}
