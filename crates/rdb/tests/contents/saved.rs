//! What a version saves of a value.

use crate::contents::Contents;
use rdb::Version;
use structures::stream::StreamId;

/// What a version saves of contents.
pub(crate) fn as_saved(contents: Contents, version: Version) -> Contents {
    match contents {
        Contents::Hash(mut fields) if version < Version::V12 => {
            fields.values_mut().for_each(|(_, expiry)| *expiry = None);
            Contents::Hash(fields)
        }
        Contents::Stream(mut stream) => {
            if version < Version::V10 {
                stream.max_deleted_id = StreamId::MIN;
                stream.added = stream.entries.len() as u64;
                // All that is known then is that the group has read as far as the stream goes.
                stream.groups.iter_mut().for_each(|group| group.read = Some(stream.added));
            }
            if version < Version::V11 {
                for consumer in stream.groups.iter_mut().flat_map(|group| &mut group.consumers) {
                    consumer.active_ms = Some(consumer.seen_ms);
                }
            }
            Contents::Stream(stream)
        }
        other => other,
    }
}
