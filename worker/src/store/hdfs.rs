//! HDFS as a store.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::{FileWriter, HadoopUser, Listed, Store, StoreError, StorePath, ZoneUrl};

/// A client of one HDFS.
pub struct HdfsStore;

impl HdfsStore {
    /// Configures a client for the URL's name service; nothing is contacted yet.
    pub fn connect(_url: &ZoneUrl, _user: Option<&HadoopUser>) -> Result<Self, StoreError> {
        todo!()
    }
}

#[async_trait]
impl Store for HdfsStore {
    async fn create(&self, _path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        todo!()
    }
    async fn rename(&self, _from: &StorePath, _to: &StorePath) -> Result<(), StoreError> {
        todo!()
    }
    async fn read(&self, _path: &StorePath) -> Result<Bytes, StoreError> {
        todo!()
    }
    async fn read_range(&self, _path: &StorePath, _range: Range<u64>) -> Result<Bytes, StoreError> {
        todo!()
    }
    async fn length(&self, _path: &StorePath) -> Result<Option<u64>, StoreError> {
        todo!()
    }
    async fn list(&self, _directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        todo!()
    }
    async fn create_directories(&self, _directory: &StorePath) -> Result<(), StoreError> {
        todo!()
    }
    async fn delete(&self, _path: &StorePath) -> Result<(), StoreError> {
        todo!()
    }
}
