//! The resource that a command runs, with the Secrets and ConfigMaps that stand beside it.

use std::path::{Path, PathBuf};

use clap::Args;
use gristmill_crds::plan::{HadoopPlan, IngestPlan};

use crate::documents::Documents;
use crate::exit::Failure;
use crate::local::local_ingest;
use crate::secrets::{self, Secrets};
use crate::store::HadoopAccess;

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
    pub(super) fn read(&self, local: Option<&Path>) -> Result<(IngestPlan, Secrets), Failure> {
        let documents = Documents::read(&self.files)?;
        let plan = documents.ingest_plan(self.name.as_deref())?;
        let secrets = Secrets::of(&documents, self.secrets_dir.clone());
        let plan = match local {
            Some(directory) => local_ingest(plan, directory)?,
            None => plan,
        };
        Ok((plan, secrets))
    }
}

/// How the HDFS of a zone is reached; a local zone needs nothing, whatever its resource says of HDFS.
pub(super) fn hadoop_of(zone: &str, plan: Option<&HadoopPlan>, secrets: &Secrets) -> Result<HadoopAccess, Failure> {
    if zone.starts_with("file://") { Ok(HadoopAccess::default()) } else { secrets::hadoop(plan, secrets) }
}
