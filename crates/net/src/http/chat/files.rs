//! The files of the chat page: a table of names that is made at the start. What somebody asks for is looked up in it and never becomes part of
//! a path. Every file is under the name of its edition, and what is under that name never changes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metronome_host::options::Values;
use metronome_host::web;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::{known, pieces};

/// Most files of an edition.
const FILES_MAX: usize = 2000;
/// How deep its folders are.
const DEPTH_MAX: u8 = 4;
/// Largest description of the program, in bytes.
const DESCRIPTION_BYTES_MAX: u64 = 64 * 1024;

/// What is in the page besides Converse.js.
const OWN: &[(&str, &[u8])] = &[("start.js", include_bytes!("start.js")), ("start.css", include_bytes!("start.css"))];

/// A browser may keep it for a year and need not ask again.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A picture that somebody opens by itself runs nothing.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

/// All files of the program.
pub(in crate::http) struct Files {
    /// Names what is there: the version of Converse.js, and what is ours.
    pub(super) edition: String,
    table: HashMap<String, Entry>,
}

/// One file.
struct Entry {
    kind: &'static str,
    content: Content,
    /// The same compressed with gzip, if that is there.
    packed: Option<OnDisk>,
}

enum Content {
    Own(&'static [u8]),
    OnDisk(OnDisk),
}

/// A file and its length.
struct OnDisk {
    path: PathBuf,
    bytes: u64,
}

impl Files {
    /// Looks up what there is. None where no folder is named; a folder that is not what it should be is told in the log.
    pub(in crate::http) fn look_up(values: &Values) -> Option<Files> {
        let folder = values.path(&web::CLIENT_FILES)?;
        let read = Files::read(folder);
        read.inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "there is no chat page")).ok()
    }

    fn read(folder: &Path) -> io::Result<Files> {
        let edition = edition(&folder.join("package.json"))?;
        let mut found = HashMap::new();
        walk(&folder.join("dist"), "", DEPTH_MAX, &mut found)?;
        let mut packed: HashMap<String, OnDisk> = found.extract_if(|name, _| name.ends_with(".gz")).collect();
        let on_disk = found.into_iter().filter_map(|(name, file)| {
            let packed = packed.remove(&format!("{name}.gz"));
            Some((name.clone(), Entry { kind: kind_of(&name)?, content: Content::OnDisk(file), packed }))
        });
        let own = OWN.iter().filter_map(|&(name, bytes)| {
            Some((name.to_owned(), Entry { kind: kind_of(name)?, content: Content::Own(bytes), packed: None }))
        });
        let table: HashMap<String, Entry> = on_disk.chain(own).collect();
        match table.contains_key("converse.min.js") && table.contains_key("converse.min.css") {
            true => Ok(Files { edition, table }),
            false => Err(io::Error::other("dist/converse.min.js or dist/converse.min.css is missing")),
        }
    }

    /// Answers for a file.
    pub(super) async fn answer(&self, edition: &str, name: &str, verb: &Method, asked: &HeaderMap) -> Response {
        let Some(entry) = self.table.get(name).filter(|_| edition == self.edition) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let packed = entry.packed.as_ref().filter(|_| takes_gzip(asked));
        let mut fields = fields(entry);
        if packed.is_some() {
            fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let tag = format!("\"{edition}{}\"", if packed.is_some() { "-gzip" } else { "" });
        fields.extend(HeaderValue::try_from(&tag).map(|tag| (header::ETAG, tag)));
        if known::is_known(asked, &tag) {
            fields.remove(header::CONTENT_TYPE);
            return (StatusCode::NOT_MODIFIED, fields).into_response();
        }
        let file = match (packed, &entry.content) {
            (Some(file), _) | (None, Content::OnDisk(file)) => file,
            (None, Content::Own(bytes)) => return (fields, *bytes).into_response(),
        };
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(file.bytes));
        if *verb == Method::HEAD {
            return (fields, Body::empty()).into_response();
        }
        match file.open().await {
            Ok(body) => (fields, body).into_response(),
            Err(error) => {
                tracing::error!(path = %file.path.display(), %error, "a file of the chat page is not there any more");
                StatusCode::NOT_FOUND.into_response()
            }
        }
    }
}

impl OnDisk {
    /// What is in it; fails if it is not as long as it was at the start.
    async fn open(&self) -> io::Result<Body> {
        let (path, bytes) = (self.path.clone(), self.bytes);
        let opened = tokio::task::spawn_blocking(move || {
            let file = fs::File::open(path)?;
            match file.metadata()?.len() == bytes {
                true => Ok(file),
                false => Err(io::Error::other("it has changed: start the server again")),
            }
        });
        let file = opened.await.unwrap_or_else(|_| Err(io::Error::other("it was given up")))?;
        Ok(pieces::body(file, None, bytes))
    }
}

fn fields(entry: &Entry) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(entry.kind));
    fields.insert(header::CACHE_CONTROL, KEPT);
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    fields.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if entry.packed.is_some() {
        fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    fields
}

/// Whether somebody unpacks what was packed with gzip (RFC 9110 section 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let given = asked.get(header::ACCEPT_ENCODING).and_then(|given| given.to_str().ok()).unwrap_or_default();
    given.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The version of the program, and a few digits of what is ours.
fn edition(description: &Path) -> io::Result<String> {
    if fs::metadata(description)?.len() > DESCRIPTION_BYTES_MAX {
        return Err(io::Error::other("package.json is too large"));
    }
    let description: Value = serde_json::from_slice(&fs::read(description)?)?;
    let version = description["version"].as_str().filter(|version| is_plain(version) && version.len() <= 40);
    let version = version.ok_or_else(|| io::Error::other("package.json has no version"))?;
    let mut ours = Sha256::new();
    for (_, bytes) in OWN {
        ours.update(bytes);
    }
    let digits: String = ours.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{version}-{digits}"))
}

/// Everything in a folder that may be asked for: files with plain names, no links.
fn walk(folder: &Path, prefix: &str, depth: u8, found: &mut HashMap<String, OnDisk>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let Some(name) = name.to_str().filter(|name| is_plain(name)) else { continue };
        let name = format!("{prefix}{name}");
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), &format!("{name}/"), depth - 1, found)?;
        } else if kind.is_file() && kind_of(name.trim_end_matches(".gz")).is_some() {
            if found.len() >= FILES_MAX {
                return Err(io::Error::other("there are too many files"));
            }
            found.insert(name, OnDisk { path: entry.path(), bytes: entry.metadata()?.len() });
        }
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.starts_with('.') && !name.is_empty() && name.bytes().all(is_plain)
}

/// The type of a file by its name; none for what no browser needs.
fn kind_of(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "ttf" => "font/ttf",
        "woff2" => "font/woff2",
        "ogg" => "audio/ogg",
        "mp3" => "audio/mpeg",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
