//! Keeps the generated pages in `docs/` current: they must be what the records say. With `CARNELIAN_WRITE_DOCS=1`
//! in the environment the test writes them.

use std::path::Path;

use operation::support::{self, Group};

use crate::options;

#[test]
fn generated_pages_are_current() {
    let dcs = huawei_dcs::operations().into_iter();
    let mut groups: Vec<_> = dcs
        .map(|(title, operations)| Group { title, operations, can_answer: huawei_dcs::can_answer })
        .collect();
    groups.push(Group {
        title: "CRS 2017",
        operations: tencent_crs::operations(),
        can_answer: tencent_crs::can_answer,
    });
    groups.push(Group {
        title: "What the owner of the machine may do",
        operations: gateway::admin_operations(),
        can_answer: gateway::admin_can_answer,
    });
    let pages = [("configuration.md", options::page()), ("support.md", support::page(&groups))];
    for (name, page) in pages {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if std::env::var_os("CARNELIAN_WRITE_DOCS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/{name} is out of date; CARNELIAN_WRITE_DOCS=1 cargo test -p carnelian writes it"
        );
    }
}
