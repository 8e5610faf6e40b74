//! What real servers said of their values, as JSON.

use crate::contents::Contents;
use serde_json::Value;

/// Text with a character for each byte.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().expect("a text").chars().map(|own| u8::try_from(u32::from(own)).expect("a byte")).collect()
}

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().expect("a list").iter().map(bytes).collect()
}

/// Checks that contents are those that were told of a value.
pub(crate) fn compare(own: &Contents, told: &Value) {
    match own {
        Contents::Text(own) => assert_eq!(*own, bytes(told)),
        Contents::List(own) | Contents::Set(own) => assert_eq!(*own, list(told)),
        Contents::Hash(own) => {
            let told = told.as_object().expect("fields with values");
            assert_eq!(own.len(), told.len());
            for (field, value) in told {
                assert_eq!(own[field.as_bytes()].0, bytes(value));
            }
        }
        Contents::ZSet(own) => {
            let told = list(told);
            let told = told.chunks(2).map(|pair| {
                let score = std::str::from_utf8(&pair[1]).expect("a number");
                (pair[0].clone(), score.parse::<f64>().expect("a number"))
            });
            assert_eq!(*own, told.collect::<Vec<_>>());
        }
        Contents::Stream(own) => {
            let entries: Vec<_> = told["entries"].as_array().expect("a list").iter().collect();
            assert_eq!(own.entries.len(), entries.len());
            for ((id, fields), told) in own.entries.iter().zip(entries) {
                assert_eq!((id.text().as_ref().to_vec(), fields), (bytes(&told[0]), &list(&told[1])));
            }
            let groups: Vec<_> = told["groups"].as_array().expect("a list").iter().collect();
            assert_eq!(own.groups.len(), groups.len());
            for (group, told) in own.groups.iter().zip(groups) {
                let pending: usize = group.consumers.iter().map(|consumer| consumer.pending.len()).sum();
                assert_eq!(group.name, bytes(&told[0]));
                assert_eq!(pending as u64, told[1].as_u64().expect("a number"));
                assert_eq!(group.last_id.text().as_ref(), bytes(&told[2]));
            }
        }
    }
}
