//! The resource that a command runs, with the Secrets and ConfigMaps that stand beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use gristmill_crds::plan::{FileEnd, HadoopPlan, IngestPlan};

use crate::documents::Documents;
use crate::exit::Failure;
use crate::local::local_ingest;
use crate::secrets::{self, Secrets};
use crate::store::HadoopAccess;
use crate::zone::Archive;

/// Which StreamIngest.
#[derive(Debug, Args)]
pub(super) struct IngestResource {
    /// File with the StreamIngest, and with Secrets and ConfigMaps that it refers to; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Name of the StreamIngest, if the files hold several.
    #[arg(long)]
    name: Option<String>,
    /// Folder of the Secrets and ConfigMaps that the files do not hold: DIR/NAME/KEY, as a pod has them mounted.
    ///
    /// They are never asked of a cluster. Rotated files take effect without a restart.
    #[arg(long, value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
}

impl IngestResource {
    /// The validated plan, moved to a folder if one is given, and what resolves its references.
    pub(super) async fn read(&self, local: Option<&Path>) -> Result<(IngestPlan, Secrets), Failure> {
        let documents = Documents::read(&self.files)?;
        let plan = documents.ingest_plan(self.name.as_deref())?;
        let secrets = Secrets::of(&documents, self.secrets_dir.clone());
        let plan = match local {
            Some(directory) => local_ingest(plan, directory).await?,
            None => plan,
        };
        Ok((plan, secrets))
    }
}

/// How the HDFS of a zone is reached; a local zone needs nothing, whatever its resource says of HDFS.
pub(super) fn hadoop_of(zone: &str, plan: Option<&HadoopPlan>, secrets: &Secrets) -> Result<HadoopAccess, Failure> {
    if zone.starts_with("file://") { Ok(HadoopAccess::default()) } else { secrets::hadoop(plan, secrets) }
}

/// The archive of an ingest's plan.
pub(super) fn archive_of(url: &str, plan: &IngestPlan, secrets: &Secrets) -> Result<Archive, Failure> {
    Archive::open(url, &hadoop_of(url, plan.hadoop.as_ref(), secrets)?)
}

/// How the HDFS of an ingest is reached, be it that of its zone or of its archive.
pub(super) fn hadoop_of_ingest(plan: &IngestPlan, secrets: &Secrets) -> Result<HadoopAccess, Failure> {
    let archive = match plan.retention.as_ref().map(|retention| &retention.end) {
        Some(FileEnd::Archive(url)) => url,
        Some(FileEnd::Delete) | None => &plan.raw_path,
    };
    let remote = [archive, &plan.raw_path].into_iter().find(|url| !url.starts_with("file://"));
    hadoop_of(remote.unwrap_or(&plan.raw_path), plan.hadoop.as_ref(), secrets)
}
