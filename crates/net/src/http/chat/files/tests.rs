//! The table against a folder with all sorts of things in it.

use std::os::unix::fs::symlink;

use axum::body::to_bytes;

use super::*;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("package.json", r#"{ "version": "14.0.0" }"#);
    write("secret.js", "outside");
    write("dist/converse.min.js", "program");
    write("dist/converse.min.js.gz", "packed");
    write("dist/converse.min.css", "look");
    write("dist/converse.min.js.map", "map");
    write("dist/.hidden.js", "hidden");
    write("dist/page.html", "<script>");
    write("dist/chunkjs/locales/de.js", "deutsch");
    symlink(folder.path().join("secret.js"), folder.path().join("dist/link.js")).unwrap();
    symlink(folder.path(), folder.path().join("dist/up")).unwrap();
    folder
}

fn files() -> (Files, tempfile::TempDir) {
    let folder = folder();
    (Files::read(folder.path()).unwrap(), folder)
}

async fn got(
    files: &Files,
    name: &str,
    asked: &[(header::HeaderName, &'static str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let asked = asked.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    let answer = files.answer(&files.edition.clone(), name, &Method::GET, &asked).await;
    let (head, body) = answer.into_parts();
    (head.status, head.headers, to_bytes(body, 10_000).await.unwrap().to_vec())
}

#[tokio::test]
async fn only_what_was_there_at_the_start_can_be_asked_for_and_no_link_leads_out() {
    let (files, folder) = files();
    let mut names: Vec<_> = files.table.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["chunkjs/locales/de.js", "converse.min.css", "converse.min.js", "start.css", "start.js"]);
    fs::write(folder.path().join("dist/late.js"), "late").unwrap();
    for name in [
        "late.js",
        "../secret.js",
        "link.js",
        "up/secret.js",
        "page.html",
        "converse.min.js.gz",
        ".hidden.js",
        "",
        "/",
        "dist",
    ] {
        assert_eq!(got(&files, name, &[]).await.0, StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn a_file_has_its_type_and_is_kept_for_ever() {
    let (files, _folder) = files();
    let (status, fields, body) = got(&files, "chunkjs/locales/de.js", &[]).await;
    assert_eq!((status, &*body), (StatusCode::OK, &b"deutsch"[..]));
    assert_eq!(fields[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(fields[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(fields[header::CONTENT_LENGTH], "7");
    let tag = fields[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", files.edition));
    let asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, fields[header::ETAG].clone())]);
    let again = files.answer(&files.edition, "chunkjs/locales/de.js", &Method::GET, &asked).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = files.answer("13.0.0-00000000", "converse.min.js", &Method::GET, &HeaderMap::new()).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn whoever_unpacks_gets_it_packed() {
    let (files, _folder) = files();
    let (_, fields, body) = got(&files, "converse.min.js", &[(header::ACCEPT_ENCODING, "br, gzip;q=0.5")]).await;
    assert_eq!((&fields[header::CONTENT_ENCODING], &*body), (&HeaderValue::from_static("gzip"), &b"packed"[..]));
    for accepted in ["br", "gzip;q=0", "gzip;q=x", "xgzip"] {
        let (_, fields, body) = got(&files, "converse.min.js", &[(header::ACCEPT_ENCODING, accepted)]).await;
        assert_eq!((fields.get(header::CONTENT_ENCODING), &*body), (None, &b"program"[..]), "{accepted}");
        assert_eq!(fields[header::VARY], "accept-encoding");
    }
}

#[tokio::test]
async fn a_file_that_has_changed_since_is_not_passed_off_as_what_it_was() {
    let (files, folder) = files();
    fs::write(folder.path().join("dist/converse.min.css"), "another look").unwrap();
    assert_eq!(got(&files, "converse.min.css", &[]).await.0, StatusCode::NOT_FOUND);
}

#[test]
fn a_folder_without_the_program_or_with_an_odd_version_is_none() {
    let folder = folder();
    for description in ["{}", "not json", r#"{ "version": "1/../2" }"#, r#"{ "version": "" }"#] {
        fs::write(folder.path().join("package.json"), description).unwrap();
        assert!(Files::read(folder.path()).is_err(), "{description}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(Files::read(empty.path()).is_err());
}
