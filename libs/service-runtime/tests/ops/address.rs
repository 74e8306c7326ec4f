//! `DATA_DIR/http.addr`.

use std::os::unix::fs::PermissionsExt;

use service_runtime::ops::write_address;

#[test]
fn the_address_is_written_in_a_private_folder_and_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("not/there/yet");
    for addr in ["127.0.0.1:8080", "[::1]:9"] {
        write_address(&folder, addr.parse().unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("http.addr")).unwrap(), addr);
    }
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(write_address(&file.path().join("data"), "127.0.0.1:1".parse().unwrap()).is_err());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("http.addr")).unwrap();
    assert!(write_address(folder.path(), "127.0.0.1:1".parse().unwrap()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
