//! The zone that a command looks at without a resource.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use gristmill_core::log::Sequence;
use gristmill_crds::{HumanDuration, InvalidScalar};

use crate::exit::{Exit, Failure};
use crate::local::folder;
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Surroundings, ZoneReader};

/// Which zone, and how long it is waited for.
#[derive(Debug, Args)]
pub(super) struct ZoneArgs {
    /// The zone: hdfs://HOST[:PORT]/PATH, file:///PATH, or a local path. Of a StreamIngest it is spec.raw.path.
    ///
    /// HDFS is found by HADOOP_CONF_DIR where the URL has the name of a nameservice.
    zone: String,
    /// Name that HDFS is told; default the HADOOP_USER_NAME of the environment, else yours. With Kerberos, the user to act
    /// for, if HDFS allows it to the principal of the ticket; default none.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How long to wait for a store that does not answer, for example 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    wait: Duration,
}

impl ZoneArgs {
    /// The zone, open for reading: nothing is written.
    pub(super) async fn read(&self) -> Result<ZoneReader, Failure> {
        Ok(ZoneReader::open(self.surroundings()?).await?)
    }

    /// The zone as it was at an entry.
    pub(super) async fn read_at(&self, sequence: u64) -> Result<ZoneReader, Failure> {
        Ok(ZoneReader::open_at(self.surroundings()?, Sequence(sequence)).await?)
    }

    /// Where the zone is.
    pub(super) fn surroundings(&self) -> Result<Surroundings, Failure> {
        let url: ZoneUrl = absolute(&self.zone)?.parse()?;
        let store = store::open(&url, &HadoopAccess { user: self.user.clone(), ..HadoopAccess::default() })?;
        Ok(Surroundings::of_process(store, url).with_patience(self.wait))
    }
}

/// A duration as resources write it.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidScalar> {
    HumanDuration(text.to_owned()).to_duration()
}

/// A local path as a URL; a URL as it is.
fn absolute(zone: &str) -> Result<String, Failure> {
    if zone.contains("://") {
        return Ok(zone.to_owned());
    }
    let path = folder(Path::new(zone)).map_err(|error| Failure::new(Exit::Usage, "Invalid", &error))?;
    Ok(format!("file://{}", path.display()))
}
