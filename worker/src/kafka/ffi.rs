//! What librdkafka offers and the `rdkafka` crate does not wrap: topic ids, members of a group, leader epochs of messages
//! and positions, headers of any bytes.
//!
//! With [`crate::allocator`] the only unsafe code of the project. Each block says why it is sound; nothing here keeps a
//! pointer beyond the call, and every object of librdkafka lives in an [`Owned`] that destroys it once.
#![expect(unsafe_code, reason = "calls into librdkafka that the rdkafka crate does not wrap")]

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use gristmill_core::raw::Header;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka_sys as sys;

use super::MemberFacts;

/// How much longer than the request the reply queue is waited for, so that the request's own time-out is what is told.
const REPLY_SLACK: Duration = Duration::from_secs(1);

/// An object of librdkafka that is ours to destroy.
struct Owned<T> {
    ptr: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes over a pointer that a constructor of librdkafka returned; null is its way to fail.
    ///
    /// # Safety
    /// `ptr` is null or owned by the caller, and `destroy` is the function that librdkafka documents for it.
    unsafe fn take(ptr: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Result<Self, KafkaError> {
        if ptr.is_null() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
        }
        Ok(Self { ptr, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `take` received ownership of a pointer that is not null, and this is the only place that destroys it.
        unsafe { (self.destroy)(self.ptr) }
    }
}

/// The id of a topic as Kafka's tools write it, `None` if the brokers know no topic ids.
///
/// Any broker knows it. librdkafka would ask the controller, which a cluster may be without for a while.
///
/// Blocks for as long as the time-out: call it where blocking is allowed.
pub(super) fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    broker: i32,
    timeout: Duration,
) -> Result<Option<String>, KafkaError> {
    let event = describe_topic(client, topic, broker, timeout)?;
    // SAFETY: the event is alive, and reading its error copies a number.
    check(unsafe { sys::rd_kafka_event_error(event.ptr) })?;
    // SAFETY: the event is alive. The result is part of it, null if the event is of another type.
    let result = unsafe { sys::rd_kafka_event_DescribeTopics_result(event.ptr) };
    if result.is_null() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
    }
    let mut count = 0;
    // SAFETY: the result is alive as long as the event; `count` is written before the call returns.
    let topics = unsafe { sys::rd_kafka_DescribeTopics_result_topics(result, &mut count) };
    if topics.is_null() || count == 0 {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    // SAFETY: librdkafka returned an array of `count` > 0 descriptions that live as long as the event.
    let description = unsafe { *topics };
    // SAFETY: the description lives as long as the event; its error is null or part of it.
    let error = unsafe { sys::rd_kafka_TopicDescription_error(description) };
    if !error.is_null() {
        // SAFETY: the error is part of the description and is only read.
        check(unsafe { sys::rd_kafka_error_code(error) })?;
    }
    // SAFETY: the id is null or part of the description.
    let id = unsafe { sys::rd_kafka_TopicDescription_topic_id(description) };
    if id.is_null() {
        return Ok(None);
    }
    // SAFETY: the id is alive; the text is null or a C string that lives as long as the id, and is copied at once.
    let text = unsafe {
        let text = sys::rd_kafka_Uuid_base64str(id);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    Ok(text.filter(|text| text != ZERO_ID))
}

/// How brokers without topic ids write one: 128 zero bits.
const ZERO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

fn describe_topic<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    broker: i32,
    timeout: Duration,
) -> Result<Owned<sys::rd_kafka_event_t>, KafkaError> {
    let name = CString::new(topic).map_err(|_| KafkaError::MetadataFetch(RDKafkaErrorCode::InvalidTopic))?;
    let mut names = [name.as_ptr()];
    // SAFETY: the array holds one valid C string; the constructor copies it.
    let topics = unsafe {
        Owned::take(
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            sys::rd_kafka_TopicCollection_destroy,
        )?
    };
    // SAFETY: the client outlives the call and so the options.
    let options = unsafe {
        Owned::take(
            sys::rd_kafka_AdminOptions_new(
                client.native_ptr(),
                sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            ),
            sys::rd_kafka_AdminOptions_destroy,
        )?
    };
    let mut reason: [c_char; 128] = [0; 128];
    // SAFETY: the options are alive; the reason is written within the length that is told.
    check(unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options.ptr,
            milliseconds(timeout),
            reason.as_mut_ptr(),
            reason.len(),
        )
    })?;
    // SAFETY: as above.
    check(unsafe { sys::rd_kafka_AdminOptions_set_broker(options.ptr, broker, reason.as_mut_ptr(), reason.len()) })?;
    // SAFETY: the client outlives the queue, which is destroyed at the end of this function.
    let queue = unsafe { Owned::take(sys::rd_kafka_queue_new(client.native_ptr()), sys::rd_kafka_queue_destroy)? };
    // SAFETY: all four objects are alive; librdkafka copies topics and options, and holds its own reference to the queue.
    unsafe { sys::rd_kafka_DescribeTopics(client.native_ptr(), topics.ptr, options.ptr, queue.ptr) };
    // SAFETY: the queue is alive. The event is ours, null after the time-out; it does not refer to the queue.
    unsafe {
        Owned::take(
            sys::rd_kafka_queue_poll(queue.ptr, milliseconds(timeout + REPLY_SLACK)),
            sys::rd_kafka_event_destroy,
        )
        .map_err(|_| KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))
    }
}

/// The members of a classic group, as the brokers list them; none if there is no such group, or if it is one of KIP-848.
///
/// The question that would reach the coordinator alone, and groups of KIP-848 too, is one that librdkafka aborts the process
/// over when a broker goes away meanwhile (librdkafka#4605).
///
/// Blocks for as long as the time-out: call it where blocking is allowed.
///
/// # Errors
/// A broker does not answer: it may be the one that knows.
pub(super) fn group_members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<Vec<MemberFacts>, KafkaError> {
    let name = CString::new(group).map_err(|_| KafkaError::GroupListFetch(RDKafkaErrorCode::InvalidGroupId))?;
    let mut list: *const sys::rd_kafka_group_list = ptr::null();
    // SAFETY: the client and the name are alive; the list is written before the call returns, and stays null without one.
    let code =
        unsafe { sys::rd_kafka_list_groups(client.native_ptr(), name.as_ptr(), &mut list, milliseconds(timeout)) };
    let list = GroupList(list);
    // SAFETY: the list is null or alive for as long as `list` is.
    let found = unsafe { list.0.as_ref() };
    // SAFETY: librdkafka has written so many groups, and members in each; they are part of the list.
    let groups = found.map_or(&[][..], |found| unsafe { slice(found.groups, found.group_cnt) });
    // Where some brokers gave no answer, a group that another one knows is an answer all the same.
    if groups.is_empty() {
        check(code)?;
    }
    // The coordinator knows the group and does not tell, for want of rights or while it loads it.
    groups.iter().try_for_each(|group| check(group.err))?;
    // SAFETY: as above.
    let members = groups.iter().flat_map(|group| unsafe { slice(group.members, group.member_cnt) });
    // SAFETY: both texts are null or C strings that are part of the list, and are copied at once.
    let member = |member: &sys::rd_kafka_group_member_info| unsafe {
        MemberFacts { client_id: text(member.client_id), host: text(member.client_host) }
    };
    Ok(members.map(member).collect())
}

/// A list of groups that is ours to destroy, or null.
struct GroupList(*const sys::rd_kafka_group_list);

impl Drop for GroupList {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: librdkafka gave the list to us, and this is the only place that destroys it.
            unsafe { sys::rd_kafka_group_list_destroy(self.0) }
        }
    }
}

/// The elements of an array of C.
///
/// # Safety
/// `first` is null, or points to `count` elements that are alive for `'a`.
unsafe fn slice<'a, T>(first: *const T, count: i32) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: the caller says so.
        Ok(count) if !first.is_null() => unsafe { std::slice::from_raw_parts(first, count) },
        Ok(_) | Err(_) => &[],
    }
}

/// A copy of a C string; empty for null.
///
/// # Safety
/// `text` is null or a C string that is alive.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The epoch of the partition's leader that the message was read from, where the broker told it.
pub(super) fn leader_epoch(message: &BorrowedMessage<'_>) -> Option<i32> {
    // SAFETY: the message is borrowed, so librdkafka's object behind the pointer is alive; a number is copied.
    let epoch = unsafe { sys::rd_kafka_message_leader_epoch(message.ptr()) };
    (epoch >= 0).then_some(epoch)
}

/// Says of a partition in a list by which leader's epoch its offset was known: brokers then tell whether they still have
/// the same messages before it (KIP-320). A partition that is not in the list is left out.
pub(super) fn set_leader_epoch(list: &mut TopicPartitionList, topic: &str, partition: i32, epoch: i32) {
    let Ok(topic) = CString::new(topic) else { return };
    // SAFETY: the list is borrowed for writing and alive; the name is a C string that is only compared. The element is
    // null or part of the list, and a number is written into it.
    unsafe {
        let element = sys::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !element.is_null() {
            sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}

/// The headers of a message in their order.
///
/// The `rdkafka` crate panics on a key that is not UTF-8, and anybody who may produce could send one.
pub(super) fn message_headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<Header<'a>> {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is borrowed and so alive; the headers are part of it. librdkafka makes them at the first call and
    // keeps them in the message: no two threads may ask the same one, and each message is decoded by one thread.
    let code = unsafe { sys::rd_kafka_message_headers(message.ptr(), &mut headers) };
    if check(code).is_err() || headers.is_null() {
        return Vec::new();
    }
    let mut found = Vec::new();
    loop {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live as long as the message; the three out-pointers are valid for writing.
        let code = unsafe { sys::rd_kafka_header_get_all(headers, found.len(), &mut name, &mut value, &mut size) };
        if check(code).is_err() || name.is_null() {
            return found;
        }
        // SAFETY: the name is a C string and the value, if not null, `size` bytes; both live as long as the message,
        // which the returned lifetime borrows.
        found.push(unsafe {
            let name: &'a CStr = CStr::from_ptr(name);
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            Header { key: name.to_string_lossy(), value }
        });
    }
}

fn check(code: sys::rd_kafka_resp_err_t) -> Result<(), KafkaError> {
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::MetadataFetch(code)),
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
