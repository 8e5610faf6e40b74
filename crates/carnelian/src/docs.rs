//! Keeps the generated pages in `docs/` current: they must be what the records say. With `CARNELIAN_WRITE_DOCS=1`
//! in the environment the test writes them.

use std::path::Path;

use crate::options;

#[test]
fn generated_pages_are_current() {
    let mut operations = huawei_dcs::operations();
    operations.push(("CRS 2017", tencent_crs::operations()));
    operations.push(("What the owner of the machine may do", gateway::admin_operations()));
    let pages =
        [("configuration.md", options::page()), ("support.md", operation::support::page(&operations))];
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
