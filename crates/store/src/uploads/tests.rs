//! Files are whole or not there, belong to somebody, and are counted.

use std::io::Read;

use metronome_proto::payload::http_upload::Purpose;

use super::*;

fn owner(byte: u8) -> AccountId {
    AccountId::ordinary([byte; 16])
}

fn about(byte: u8, owner: AccountId, size: u64) -> About {
    let entry = Entry { id: UploadId([byte; 16]), purpose: Purpose::Message, size, created_ms: 1000 };
    About { owner, entry, media_type: "image/png".into(), name: "a picture.png".into() }
}

fn put(uploads: &Uploads, about: &About, bytes: &[u8]) {
    let mut writing = uploads.begin(about).unwrap();
    writing.write(bytes).unwrap();
    writing.finish().unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_is_there_once_all_of_it_is() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let about = about(1, owner(1), 5);
    let mut writing = uploads.begin(&about).unwrap();
    writing.write(b"hel").unwrap();
    assert!(uploads.read(about.entry.id).unwrap().is_none());
    assert_eq!(uploads.entries(owner(1)).unwrap(), []);
    writing.write(b"lo").unwrap();
    writing.finish().unwrap();
    let (read, mut file) = uploads.read(about.entry.id).unwrap().unwrap();
    assert_eq!(read, about);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"hello");
    assert_eq!(uploads.entries(owner(1)).unwrap(), [about.entry]);
    assert_eq!(uploads.total(), Usage { files: 1, bytes: 5 });
    assert!(names(&root.path().join("new")).is_empty());
    assert!(uploads.free_bytes().unwrap() > 0);
}

#[test]
fn what_is_too_short_or_too_long_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let about = about(1, owner(1), 5);
    let mut short = uploads.begin(&about).unwrap();
    short.write(b"hell").unwrap();
    assert_eq!(short.finish().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let mut long = uploads.begin(&about).unwrap();
    assert_eq!(long.write(b"hello!").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    drop(long);
    drop(uploads.begin(&about).unwrap());
    assert!(names(&root.path().join("new")).is_empty());
    assert!(uploads.read(about.entry.id).unwrap().is_none());
    assert_eq!((uploads.entries(owner(1)).unwrap().len(), uploads.total()), (0, Usage::default()));
}

#[test]
fn nobody_writes_what_is_there_or_being_written() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let about = about(1, owner(1), 1);
    let first = uploads.begin(&about).unwrap();
    assert_eq!(uploads.begin(&about).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    drop(first);
    put(&uploads, &about, b"x");
    assert_eq!(uploads.begin(&about).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_crash_leaves_whole_files_only() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    put(&uploads, &about(1, owner(1), 3), b"abc");
    let mut cut_off = uploads.begin(&about(2, owner(1), 3)).unwrap();
    cut_off.write(b"ab").unwrap();
    std::mem::forget(cut_off);
    // An entry whose file was never given its name.
    File::create(
        root.path().join("of").join(entry::to_hex(owner(1).as_bytes())).join(about(3, owner(1), 9).entry.to_string()),
    )
    .unwrap();
    let again = Uploads::open(root.path()).unwrap();
    assert!(names(&root.path().join("new")).is_empty());
    assert_eq!(again.total(), Usage { files: 1, bytes: 3 });
    assert!(again.read(UploadId([2; 16])).unwrap().is_none());
    assert_eq!(again.entries(owner(1)).unwrap(), [about(1, owner(1), 3).entry]);
}

#[test]
fn an_account_goes_with_all_its_files_and_no_others() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    for byte in 1..=3 {
        put(&uploads, &about(byte, owner(1), 2), b"ab");
    }
    put(&uploads, &about(4, owner(2), 2), b"ab");
    let mut owners = uploads.owners().unwrap();
    owners.sort_by_key(|owner| *owner.as_bytes());
    assert_eq!(owners, [owner(1), owner(2)]);
    assert!(uploads.remove(owner(1), &about(1, owner(1), 2).entry).unwrap());
    assert!(!uploads.remove(owner(1), &about(1, owner(1), 2).entry).unwrap());
    assert_eq!(uploads.forget(owner(1)).unwrap(), Usage { files: 2, bytes: 4 });
    assert_eq!(uploads.forget(owner(1)).unwrap(), Usage::default());
    assert!(uploads.read(UploadId([2; 16])).unwrap().is_none());
    assert!(uploads.read(UploadId([4; 16])).unwrap().is_some());
    assert_eq!((uploads.owners().unwrap(), uploads.total()), (vec![owner(2)], Usage { files: 1, bytes: 2 }));
}

#[test]
fn no_part_of_a_path_is_made_of_a_name() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let named = |name: &str| About { name: name.into(), ..about(1, owner(1), 1) };
    put(&uploads, &named("../../etc/passwd"), b"x");
    assert_eq!(&*uploads.read(UploadId([1; 16])).unwrap().unwrap().0.name, "../../etc/passwd");
    assert_eq!(names(&root.path().join("files/01")), ["01".repeat(16)]);
    assert_eq!(names(&root.path().join("of")).len(), 1);
    let long = "x".repeat(HEAD_BYTES as usize);
    for wrong in ["a\nb", "a\0b", "a\rb", &long] {
        assert_eq!(uploads.begin(&named(wrong)).err().map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
        let other = About { entry: about(2, owner(1), 1).entry, ..named(wrong) };
        assert_eq!(uploads.begin(&other).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{wrong:.10}");
    }
}

#[test]
fn what_is_no_file_of_ours_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let about = about(1, owner(1), 1);
    put(&uploads, &about, b"x");
    let other = UploadId([0x01, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    fs::copy(uploads.file(about.entry.id), uploads.file(other)).unwrap();
    assert_eq!(uploads.read(other).unwrap_err().kind(), io::ErrorKind::InvalidData);
    fs::write(uploads.file(other), "short").unwrap();
    assert!(uploads.read(other).is_err());
}

/// Whoever deletes all the time while files are finished could keep what is listed nowhere, and counts for nobody.
#[test]
fn what_is_removed_while_it_is_finished_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(root.path()).unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let remove_all =
        || uploads.entries(owner(1)).unwrap().iter().for_each(|entry| _ = uploads.remove(owner(1), entry).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                remove_all();
            }
        });
        (0..=255).for_each(|byte| put(&uploads, &about(byte, owner(1), 1), b"x"));
        is_done.store(true, Ordering::Relaxed);
    });
    remove_all();
    let folders = fs::read_dir(root.path().join("files")).unwrap();
    let left: Vec<_> = folders.flat_map(|folder| names(&folder.unwrap().path())).collect();
    assert_eq!((left, uploads.total()), (Vec::new(), Usage::default()));
    assert!(names(&root.path().join("new")).is_empty());
}
