//! A bucket and what can be asked of it.

use http::{Method, StatusCode};
use object_store::TagSet;
use object_store::aws::AwsCredentialProvider;
use object_store::client::HttpClient;

use super::answers::{CopyAnswer, Record, Tagging, Upload, UploadsPage, Versioning, VersionsPage};
use super::requests::{Ask, encoded, read, send};
use crate::answer::Trouble;

/// A bucket that speaks S3.
pub(in crate::objects) struct Bucket {
    pub(super) http: HttpClient,
    /// `None` asks without a signature.
    pub(super) credentials: Option<AwsCredentialProvider>,
    pub(super) region: String,
    /// Of the bucket, without a slash at the end.
    pub(super) url: String,
    name: String,
    /// Name of the key that was given; `None` stands for the environment's.
    holder: Option<String>,
}

/// How a copy inside of the store ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::objects) enum Copied {
    /// It is there, with this ETag if the store says one.
    Done(Option<String>),
    /// The source is not what was asked for, or the target is there.
    Refused,
}

impl Bucket {
    pub(in crate::objects) fn new(
        http: HttpClient,
        credentials: Option<AwsCredentialProvider>,
        region: String,
        url: String,
        name: String,
        holder: Option<String>,
    ) -> Self {
        Self { http, credentials, region, url, name, holder }
    }

    /// Whether both are asked with the same credentials.
    pub(in crate::objects) fn same_holder(&self, other: &Self) -> bool {
        self.holder == other.holder && self.signs() == other.signs() && self.region == other.region
    }

    /// Whether what is sent carries a signature, and with it the SHA-256 of the content.
    pub(in crate::objects) fn signs(&self) -> bool {
        self.credentials.is_some()
    }

    /// Whether the bucket keeps, or once kept, versions.
    pub(in crate::objects) async fn keeps_versions(&self) -> Result<bool, Trouble> {
        let ask = Ask { method: Method::GET, key: None, query: &[("versioning", "")], headers: &[], expected: &[] };
        let answer: Versioning = read("versioning", &send(self, &ask).await?.body)?;
        Ok(answer.status.is_some())
    }

    /// Returns every version and delete marker below a prefix, newest first for each key.
    ///
    /// # Errors
    /// Those of the store; an answer that ends early is never taken for a whole one.
    pub(in crate::objects) async fn versions(&self, prefix: &str) -> Result<Vec<Record>, Trouble> {
        let (mut records, mut after) = (Vec::new(), None::<(String, String)>);
        loop {
            let mut query = vec![("versions", ""), ("prefix", prefix)];
            if let Some((key, version)) = &after {
                query.push(("key-marker", key));
                // Without an ID the page begins after the key.
                if !version.is_empty() {
                    query.push(("version-id-marker", version));
                }
            }
            let ask = Ask { method: Method::GET, key: None, query: &query, headers: &[], expected: &[] };
            let mut page: VersionsPage = read("versions", &send(self, &ask).await?.body)?;
            records.extend(page.records());
            if !page.is_truncated {
                return Ok(records);
            }
            let next = page.next_key_marker.map(|key| (key, page.next_version_id_marker.unwrap_or_default()));
            if next.is_none() || next == after {
                return Err(Trouble::retry("objects.failed", "versions: a page does not say where the next begins"));
            }
            after = next;
        }
    }

    /// Copies an object of this bucket, or one version of it, to a key, with metadata and tags.
    ///
    /// `e_tag` is that of the source; with `create`, an object that is there is refused, by servers that can.
    ///
    /// # Cancel safety
    /// The copy may be made.
    pub(in crate::objects) async fn copy(
        &self,
        source: &str,
        version: Option<&str>,
        e_tag: Option<&str>,
        target: &str,
        create: bool,
    ) -> Result<Copied, Trouble> {
        let mut from = format!("{}/{}", self.name, encoded(source));
        if let Some(version) = version {
            from.push_str(&format!("?versionId={}", encoded(version)));
        }
        let mut headers = vec![("x-amz-copy-source", from)];
        if let Some(e_tag) = e_tag {
            headers.push(("x-amz-copy-source-if-match", e_tag.to_owned()));
        }
        if create {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let expected = [StatusCode::PRECONDITION_FAILED];
        let ask = Ask { method: Method::PUT, key: Some(target), query: &[], headers: &headers, expected: &expected };
        let answer = send(self, &ask).await?;
        if answer.status == StatusCode::PRECONDITION_FAILED {
            return Ok(Copied::Refused);
        }
        let said: CopyAnswer = read("copy", &answer.body)?;
        match said.code {
            None => Ok(Copied::Done(said.e_tag)),
            Some(code) => {
                let message = said.message.unwrap_or_default();
                Err(Trouble::retry("objects.failed", format!("copy of {source}: {code}: {message}")))
            }
        }
    }

    /// Removes one version or delete marker for good. One that is gone is fine.
    pub(in crate::objects) async fn remove_version(&self, key: &str, version: &str) -> Result<(), Trouble> {
        let query = [("versionId", version)];
        let expected = [StatusCode::NOT_FOUND];
        let ask = Ask { method: Method::DELETE, key: Some(key), query: &query, headers: &[], expected: &expected };
        send(self, &ask).await.map(|_| ())
    }

    /// Returns the tags of an object, or of one version of it.
    pub(in crate::objects) async fn tags(&self, key: &str, version: Option<&str>) -> Result<TagSet, Trouble> {
        let mut query = vec![("tagging", "")];
        query.extend(version.map(|version| ("versionId", version)));
        let ask = Ask { method: Method::GET, key: Some(key), query: &query, headers: &[], expected: &[] };
        let answer: Tagging = read("tags", &send(self, &ask).await?.body)?;
        let mut tags = TagSet::default();
        for tag in answer.tag_set.map(|set| set.tag).unwrap_or_default() {
            tags.push(&tag.key, &tag.value);
        }
        Ok(tags)
    }

    /// Returns key and ID of the uploads below a prefix that were begun and never ended.
    pub(in crate::objects) async fn uploads(&self, prefix: &str) -> Result<Vec<(String, String)>, Trouble> {
        let (mut found, mut after) = (Vec::new(), None::<(String, String)>);
        loop {
            let mut query = vec![("uploads", ""), ("prefix", prefix)];
            if let Some((key, id)) = &after {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", id.as_str())]);
            }
            let ask = Ask { method: Method::GET, key: None, query: &query, headers: &[], expected: &[] };
            let page: UploadsPage = read("uploads", &send(self, &ask).await?.body)?;
            found.extend(page.upload.into_iter().map(|Upload { key, upload_id }| (key, upload_id)));
            let next = page.next_key_marker.zip(page.next_upload_id_marker);
            if !page.is_truncated || next.is_none() || next == after {
                return Ok(found);
            }
            after = next;
        }
    }

    /// Gives up an upload; what was sent of it is freed.
    pub(in crate::objects) async fn abort_upload(&self, key: &str, id: &str) -> Result<(), Trouble> {
        let query = [("uploadId", id)];
        let expected = [StatusCode::NOT_FOUND];
        let ask = Ask { method: Method::DELETE, key: Some(key), query: &query, headers: &[], expected: &expected };
        send(self, &ask).await.map(|_| ())
    }
}
