//! One mock cluster for all tests of this binary: joining a group costs 3 s on each, whatever is done there.

use std::sync::{LazyLock, Mutex, mpsc};
use std::time::Duration;

use gristmill::produce::books::BookMessage;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The mock gives partitions of a member that left to the next one after a session less 1 s, and those of a killed one
/// after a session: the worker's own 15 s would be most of what these tests take. A first join takes 3 s, and a session
/// must outlive it.
pub(crate) const GROUP: [(&str, &str); 2] = [("session.timeout.ms", "4500"), ("heartbeat.interval.ms", "1000")];

const TIMEOUT: Duration = Duration::from_secs(30);

struct Shared {
    servers: String,
    topics: Mutex<mpsc::Sender<(String, i32, mpsc::Sender<()>)>>,
}

static SHARED: LazyLock<Shared> = LazyLock::new(start);

/// Starts a cluster that lives as long as the process.
fn start() -> Shared {
    let (topics, wanted) = mpsc::channel::<(String, i32, mpsc::Sender<()>)>();
    let (servers, started) = mpsc::channel();
    // The cluster's handle can't leave its thread.
    std::thread::spawn(move || {
        let cluster = MockCluster::new(1).expect("a mock cluster starts");
        servers.send(cluster.bootstrap_servers()).expect("the test waits");
        for (topic, partitions, done) in wanted {
            cluster.create_topic(&topic, partitions, 1).expect("a topic is made");
            done.send(()).expect("the test waits");
        }
    });
    Shared { servers: started.recv().expect("the cluster starts"), topics: Mutex::new(topics) }
}

/// A topic of the shared cluster.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) servers: String,
    pub(crate) partitions: i32,
}

impl Topic {
    pub(crate) fn create(name: &str, partitions: i32) -> Self {
        Self::create_in(&SHARED, name, partitions)
    }

    /// A topic of a cluster of its own.
    pub(crate) fn create_elsewhere(name: &str, partitions: i32) -> Self {
        Self::create_in(Box::leak(Box::new(start())), name, partitions)
    }

    fn create_in(shared: &Shared, name: &str, partitions: i32) -> Self {
        let (done, made) = mpsc::channel();
        let topics = shared.topics.lock().expect("no test panics here");
        topics.send((name.to_owned(), partitions, done)).expect("the cluster lives");
        made.recv().expect("the topic is made");
        Self { name: name.to_owned(), servers: shared.servers.clone(), partitions }
    }

    /// Sends one payload after the other; none is a tombstone.
    pub(crate) fn send<'m>(&self, messages: impl IntoIterator<Item = (i32, Option<&'m str>)>) {
        self.send_with_headers(
            messages.into_iter().map(|(partition, payload)| (partition, payload, OwnedHeaders::new())),
        );
    }

    /// That, each with headers.
    pub(crate) fn send_with_headers<'m>(
        &self,
        messages: impl IntoIterator<Item = (i32, Option<&'m str>, OwnedHeaders)>,
    ) {
        let mut config = ClientConfig::new();
        // As long as the longest message that a resource allows; its own default is 1 MB.
        config.set("bootstrap.servers", &self.servers).set("message.max.bytes", (130 << 20).to_string());
        // The mock keeps 5 MiB of a partition, as they were sent.
        config.set("compression.type", "lz4").set("batch.num.messages", "1");
        let producer: ThreadedProducer<_> = config.create().expect("a producer");
        for (partition, payload, headers) in messages {
            let mut record: BaseRecord<'_, str, str> = BaseRecord::to(&self.name).key("key").partition(partition);
            record.payload = payload;
            record.headers = (headers.count() > 0).then_some(headers);
            producer.send(record).map_err(|(error, _)| error).expect("the message is queued");
        }
        producer.flush(TIMEOUT).expect("the messages are sent");
    }

    /// Sends messages round robin to all partitions but the last, which stays empty unless it is the only one.
    pub(crate) fn send_books(&self, books: &[BookMessage]) {
        let used = (self.partitions - 1).max(1);
        self.send((0..used).cycle().zip(books.iter().map(|book| Some(book.payload.as_str()))));
    }

    /// What the group has stored.
    pub(crate) fn group_offsets(&self, group: &str) -> Vec<Option<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, self.partitions - 1);
        let stored = self.group_client(group).committed_offsets(list, TIMEOUT).expect("the group answers");
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        stored.elements().iter().map(|element| offset(element.offset())).collect()
    }

    /// Stores offsets in the group, as an admin tool does. The mock takes them only while the group never had a member.
    pub(crate) fn move_group(&self, group: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(&self.name, partition, Offset::Offset(offset)).expect("an offset");
        }
        self.group_client(group).commit(&list, CommitMode::Sync).expect("the group takes offsets");
    }

    fn group_client(&self, group: &str) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", &self.servers).set("group.id", group).create().expect("a consumer")
    }
}
