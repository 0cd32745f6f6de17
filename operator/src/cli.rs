//! The command line: what the process needs to know that no resource says.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gristmill_crds::{HourlyCompaction, StreamIngest, definition, yaml};
use tracing_subscriber::EnvFilter;

use crate::pod::PodDefaults;

/// Runs StreamIngest and HourlyCompaction resources on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "gristmill-operator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the resources and run them, until SIGTERM.
    Run(Box<RunOptions>),
    /// Print both custom resource definitions as YAML.
    Crd,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// Image of the workers; its entry point is the gristmill CLI.
    #[arg(long, env = "GRISTMILL_WORKER_IMAGE")]
    pub worker_image: String,
    /// When a node pulls that image; Kubernetes' default when absent.
    #[arg(long, env = "GRISTMILL_IMAGE_PULL_POLICY")]
    pub image_pull_policy: Option<PullPolicy>,
    /// imagePullSecrets, nodeSelector and tolerations of all pods whose resource does not set them, as YAML or JSON of the
    /// form of spec.pod, for example '{tolerations: [{key: dedicated, operator: Exists}]}'.
    #[arg(long, env = "GRISTMILL_POD_DEFAULTS", default_value = "{}", hide_default_value = true)]
    pub pod_defaults: PodDefaults,
    /// Namespace of the operator's own pod, from which workers accept its questions. Default: that of its service account
    /// or of the kubeconfig.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: Option<String>,
    /// StreamIngests that are rolled at once when another default image, other defaults or another version of the operator
    /// change their pods. A change of a resource's own spec waits for nobody.
    #[arg(long, env = "GRISTMILL_MAX_CONCURRENT_ROLLOUTS", default_value = "5")]
    pub max_concurrent_rollouts: NonZeroUsize,
    /// Name of the pod, as it stands in the Lease.
    #[arg(long, env = "POD_NAME", default_value = "gristmill-operator")]
    pub pod_name: String,
    /// Name of the Lease, in the operator's namespace. Of the operators that share it one acts and the others wait.
    #[arg(long, env = "GRISTMILL_LEASE_NAME", default_value = "gristmill-operator")]
    pub lease_name: String,
    /// Watch this namespace only. May be given several times; in the environment variable names are separated by commas.
    #[arg(long = "watch-namespace", env = "GRISTMILL_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "GRISTMILL_ADMIN_ADDR", default_value = "0.0.0.0:8080")]
    pub admin_addr: SocketAddr,
    /// Form of the log lines on stderr.
    #[arg(long, env = "GRISTMILL_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// When a node pulls an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// At every start of a pod.
    Always,
    /// When the node lacks it.
    IfNotPresent,
    /// Never; the node has it or the pod fails.
    Never,
}

impl PullPolicy {
    /// The word that Kubernetes uses.
    pub fn as_str(self) -> &'static str {
        match self {
            PullPolicy::Always => "Always",
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Never => "Never",
        }
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Sends the log to stderr; RUST_LOG filters it, `info` by default.
    pub fn install(self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let colours = std::io::stderr().is_terminal();
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
        match self {
            LogFormat::Text => builder.init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
    }
}

/// Both custom resource definitions, as `kubectl apply --server-side -f -` takes them.
pub fn crds() -> String {
    format!("{}---\n{}", yaml(&definition::<StreamIngest>()), yaml(&definition::<HourlyCompaction>()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn worker_image_must_be_named() {
        let refused = Cli::try_parse_from(["gristmill-operator", "run"]).expect_err("there is no default image");
        assert!(refused.to_string().contains("--worker-image"), "{refused}");
    }

    #[test]
    fn crd_prints_what_is_committed() {
        let streams = include_str!("../../crds/streamingest.yaml");
        let compactions = include_str!("../../crds/hourlycompaction.yaml");
        assert_eq!(crds(), format!("{streams}---\n{compactions}"));
    }
}
