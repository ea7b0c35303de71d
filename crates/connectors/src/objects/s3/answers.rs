//! Answers of S3, in the XML that it speaks.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// A version of an object, or a marker that says it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::objects) struct Record {
    pub(in crate::objects) key: String,
    pub(in crate::objects) version: String,
    pub(in crate::objects) modified: DateTime<Utc>,
    /// Whether it is the newest of its key.
    pub(in crate::objects) latest: bool,
    /// `None` for a delete marker.
    pub(in crate::objects) content: Option<Content>,
}

/// What is known of a version's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::objects) struct Content {
    pub(in crate::objects) size: u64,
    pub(in crate::objects) e_tag: Option<String>,
}

/// A page of `ListObjectVersions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionsPage {
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_key_marker: Option<String>,
    pub(super) next_version_id_marker: Option<String>,
    // Versions and markers are told apart by their names, and their order matters: newest first.
    #[serde(rename = "$value", default)]
    entries: Vec<VersionsEntry>,
}

#[derive(Debug, Deserialize)]
enum VersionsEntry {
    Version(VersionXml),
    DeleteMarker(VersionXml),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionXml {
    key: String,
    #[serde(default)]
    version_id: Option<String>,
    last_modified: DateTime<Utc>,
    #[serde(default)]
    is_latest: bool,
    #[serde(rename = "ETag")]
    e_tag: Option<String>,
    #[serde(default)]
    size: u64,
}

impl VersionsPage {
    /// Takes the versions and markers out, in the order of the page.
    pub(super) fn records(&mut self) -> impl Iterator<Item = Record> {
        std::mem::take(&mut self.entries).into_iter().filter_map(|entry| {
            let (xml, content) = match entry {
                VersionsEntry::Version(xml) => {
                    let content = Content { size: xml.size, e_tag: xml.e_tag.clone() };
                    (xml, Some(content))
                }
                VersionsEntry::DeleteMarker(xml) => (xml, None),
                VersionsEntry::Other => return None,
            };
            let version = xml.version_id.filter(|id| !id.is_empty()).unwrap_or_else(|| "null".to_owned());
            let (key, modified, latest) = (xml.key, xml.last_modified, xml.is_latest);
            Some(Record { key, version, modified, latest, content })
        })
    }
}

/// Answer of `GetBucketVersioning`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Versioning {
    pub(super) status: Option<String>,
}

/// Answer of `CopyObject`; an error may come with status 200.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CopyAnswer {
    #[serde(rename = "ETag")]
    pub(super) e_tag: Option<String>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// Answer of `GetObjectTagging`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagging {
    pub(super) tag_set: Option<TagList>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagList {
    #[serde(default)]
    pub(super) tag: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// A page of `ListMultipartUploads`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadsPage {
    #[serde(default)]
    pub(super) is_truncated: bool,
    pub(super) next_key_marker: Option<String>,
    pub(super) next_upload_id_marker: Option<String>,
    #[serde(default)]
    pub(super) upload: Vec<Upload>,
}

/// A multipart upload that was begun and neither completed nor aborted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) upload_id: String,
}

/// What S3 says of a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_markers_keep_their_order() {
        let xml = r#"<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Name>b</Name><Prefix>s1/</Prefix><IsTruncated>true</IsTruncated>
            <DeleteMarker><Key>s1/a &amp; b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>
              <LastModified>2022-04-05T07:38:00.000Z</LastModified><Owner><ID>o</ID></Owner></DeleteMarker>
            <Version><Key>s1/a &amp; b</Key><VersionId>v2</VersionId><LastModified>2022-04-04T00:00:00.000Z</LastModified>
              <ETag>&quot;e2&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Version>
            <DeleteMarker><Key>s1/c</Key><VersionId>null</VersionId><LastModified>2022-04-01T00:00:00Z</LastModified>
              </DeleteMarker>
            <NextKeyMarker>s1/c</NextKeyMarker><NextVersionIdMarker>null</NextVersionIdMarker>
            </ListVersionsResult>"#;
        let mut page: VersionsPage = quick_xml::de::from_str(xml).expect("it is what S3 answers");
        let records: Vec<Record> = page.records().collect();
        let short: Vec<_> = records.iter().map(|r| (&*r.key, &*r.version, r.content.is_some())).collect();
        assert_eq!(short, [("s1/a & b", "v3", false), ("s1/a & b", "v2", true), ("s1/c", "null", false)]);
        assert_eq!(records[1].content, Some(Content { size: 7, e_tag: Some("\"e2\"".into()) }));
        assert!(page.is_truncated && page.next_key_marker.as_deref() == Some("s1/c"));
    }

    #[test]
    fn an_empty_bucket_without_versions_is_read() {
        let mut page: VersionsPage = quick_xml::de::from_str("<ListVersionsResult><Name>b</Name></ListVersionsResult>")
            .expect("it is what S3 answers");
        assert_eq!((page.records().count(), page.is_truncated), (0, false));
        let versioning: Versioning = quick_xml::de::from_str("<VersioningConfiguration/>").expect("it is an answer");
        assert_eq!(versioning.status, None);
    }
}
