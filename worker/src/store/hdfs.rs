//! HDFS as a store, by its native protocol.
//!
//! Every call has a deadline, since the client waits for ever on a half-open connection. A mutation that meets its
//! deadline may still happen: it is reported as unavailable, which callers take for "unknown".

mod error;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};

use self::error::{store_error, unknown_name_service};
use super::{
    FileWriter, HadoopAccess, Kerberos, Listed, ListedKind, Store, StoreError, StoreErrorKind, StorePath, Umask,
    ZoneUrl,
};

/// What the client says of a name that no configuration has.
const NO_HOSTS: &str = "No NameNode hosts found";
/// Deadline of a call to the NameNode: three times the pause of a long garbage collection there.
const NAMENODE_DEADLINE: Duration = Duration::from_secs(30);
/// Deadline of a transfer from or to DataNodes: a block pipeline that is rebuilt twice still meets it.
const TRANSFER_DEADLINE: Duration = Duration::from_secs(120);
/// How long the client itself looks for an active NameNode: each of two is asked twice. Waiting for one to come up is
/// for callers, who say so while they wait; the client's own default is silent for minutes.
const FAILOVER: [(&str, &str); 2] =
    [("dfs.client.failover.max.attempts", "3"), ("dfs.client.failover.sleep.max.millis", "200")];

/// A client of one HDFS.
pub struct HdfsStore {
    client: Client,
    calls: Calls,
    umask: Umask,
}

impl HdfsStore {
    /// Configures a client for the URL's NameNode or name service; nothing is contacted yet.
    ///
    /// # Errors
    /// The configuration cannot be read or does not know the name service.
    pub fn connect(url: &ZoneUrl, access: &HadoopAccess) -> Result<Self, StoreError> {
        let HadoopAccess { user, kerberos, configuration, umask } = access;
        let invalid = |message: &str| StoreError::new(StoreErrorKind::Other, "connect to", url.directory(), message);
        let mut settings = FAILOVER.to_vec();
        let mut builder = ClientBuilder::new().with_url(format!("hdfs://{}", url.authority()));
        if let Some(user) = user {
            builder = builder.with_user(user);
        }
        if let Some(folder) = configuration {
            builder = builder.with_config_dir(folder.to_str().ok_or_else(|| invalid("its folder is not UTF-8"))?);
        }
        if let Some(Kerberos { principal, keytab }) = kerberos {
            let keytab = keytab.to_str().ok_or_else(|| invalid("the keytab's path is not UTF-8"))?;
            builder = builder.with_kerberos_principal(principal).with_kerberos_keytab(keytab);
            // Whoever has a keytab means it, also without a core-site.xml that says so.
            settings.push(("hadoop.security.authentication", "kerberos"));
        }
        let client = builder.with_config(settings).build();
        let client = client.map_err(|error| match &error {
            HdfsError::InvalidArgument(text) if !url.authority().contains(':') && text.contains(NO_HOSTS) => {
                invalid(&unknown_name_service(url.authority(), access, std::env::var_os("HADOOP_CONF_DIR").as_deref()))
            }
            _ => store_error(&error, "connect to", url.directory(), access),
        })?;
        Ok(Self { client, calls: Calls { access: Arc::new(access.clone()) }, umask: *umask })
    }
}

#[async_trait]
impl Store for HdfsStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let options = WriteOptions { permission: self.umask.file(), ..WriteOptions::default() };
        let file =
            self.calls.within(NAMENODE_DEADLINE, "create", path, self.client.create(path.as_str(), &options)).await?;
        Ok(Box::new(HdfsWriter { file, path: path.clone(), calls: self.calls.clone() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.calls
            .within(NAMENODE_DEADLINE, "rename", from, self.client.rename(from.as_str(), to.as_str(), false))
            .await
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        let whole = async {
            let file = self.client.read(path.as_str()).await?;
            file.read_range(0, file.file_length()).await
        };
        self.calls.within(TRANSFER_DEADLINE, "read", path, whole).await
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        let outside = || StoreError::new(StoreErrorKind::Other, "read", path, "the range lies outside the file");
        let start = usize::try_from(range.start).map_err(|_| outside())?;
        let end = usize::try_from(range.end).map_err(|_| outside())?;
        let part = async {
            let file = self.client.read(path.as_str()).await?;
            if start > end || end > file.file_length() {
                return Ok(None);
            }
            file.read_range(start, end - start).await.map(Some)
        };
        self.calls.within(TRANSFER_DEADLINE, "read", path, part).await?.ok_or_else(outside)
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        match self.calls.within(NAMENODE_DEADLINE, "look at", path, self.client.get_file_info(path.as_str())).await {
            Ok(status) => Ok((!status.isdir).then_some(status.length as u64)),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        match self.calls.within(NAMENODE_DEADLINE, "look at", path, self.client.get_file_info(path.as_str())).await {
            Ok(status) => Ok((!status.isdir).then(|| time_of(&status))),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        // One deadline for all pages: a directory of a million names takes a thousand calls of about 10 ms.
        match self
            .calls
            .within(TRANSFER_DEADLINE, "list", directory, self.client.list_status(directory.as_str(), false))
            .await
        {
            Ok(statuses) => Ok(statuses.into_iter().map(listed).collect()),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        let made = self.client.mkdirs(directory.as_str(), self.umask.directory(), true);
        self.calls.within(NAMENODE_DEADLINE, "create directory", directory, made).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        // "false" is the answer for a path that does not exist.
        self.calls.within(NAMENODE_DEADLINE, "delete", path, self.client.delete(path.as_str(), false)).await.map(drop)
    }
}

struct HdfsWriter {
    file: hdfs_native::file::FileWriter,
    path: StorePath,
    calls: Calls,
}

#[async_trait]
impl FileWriter for HdfsWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.calls.within(TRANSFER_DEADLINE, "write", &self.path, self.file.write_bytes(bytes)).await.map(drop)
    }

    async fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.calls.within(TRANSFER_DEADLINE, "close", &self.path, self.file.close()).await
    }
}

/// Calls of one client, each with its deadline.
#[derive(Clone)]
struct Calls {
    access: Arc<HadoopAccess>,
}

impl Calls {
    async fn within<T>(
        &self,
        deadline: Duration,
        act: &'static str,
        path: &StorePath,
        call: impl Future<Output = Result<T, HdfsError>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|error| store_error(&error, act, path, &self.access)),
            Err(_) => {
                let message = format!("no answer within {} s", deadline.as_secs());
                Err(StoreError::new(StoreErrorKind::Unavailable, act, path, message))
            }
        }
    }
}

fn listed(status: FileStatus) -> Listed {
    let name = status.path.rsplit_once('/').map_or(status.path.as_str(), |(_, name)| name).to_owned();
    let kind = if status.isdir { ListedKind::Directory } else { ListedKind::File(status.length as u64) };
    let modified = time_of(&status);
    Listed { name, kind, modified }
}

/// A time of the NameNode, which has milliseconds since 1970 in 64 bits.
fn time_of(status: &FileStatus) -> DateTime<Utc> {
    let milliseconds = i64::try_from(status.modification_time).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
