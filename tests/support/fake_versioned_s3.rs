//! A fake of how S3 keeps versions, in memory, behind the real protocol: signatures, XML and conditions are those of `s3s`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

/// The one bucket.
pub const BUCKET: &str = "media";

/// Entries of a page of any listing.
const PAGE: usize = 100;

/// What the bucket keeps.
#[derive(Clone, Default)]
pub struct FakeVersionedS3 {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Seconds since 1970; whatever is written is written then.
    clock: u64,
    /// Number of versions so far.
    number: u64,
    unversioned: bool,
    /// Newest last.
    keys: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<String, (String, BTreeMap<i32, Bytes>)>,
}

/// A version, or a delete marker.
#[derive(Clone, Debug)]
struct Version {
    id: String,
    modified: SystemTime,
    content: Option<Content>,
}

#[derive(Clone, Debug)]
struct Content {
    bytes: Bytes,
    tag: String,
    kind: Option<String>,
    metadata: Option<Metadata>,
    tags: Vec<(String, String)>,
}

impl FakeVersionedS3 {
    /// A bucket that keeps no versions.
    #[must_use]
    pub fn unversioned() -> Self {
        let fake = Self::default();
        fake.lock().unversioned = true;
        fake
    }

    /// Sets the time, in seconds since 1970.
    pub fn time(&self, seconds: u64) {
        self.lock().clock = seconds;
    }

    /// Writes an object and returns the ID of its version.
    pub fn put(&self, key: &str, content: &[u8]) -> String {
        self.lock().write(key, Some(object(Bytes::copy_from_slice(content))))
    }

    /// Writes an object with a content type, metadata and tags.
    pub fn put_described(&self, key: &str, content: &[u8], kind: &str, note: (&str, &str), tag: (&str, &str)) {
        let metadata = Metadata::from_iter([(note.0.to_owned(), note.1.to_owned())]);
        let tags = vec![(tag.0.to_owned(), tag.1.to_owned())];
        let plain = object(Bytes::copy_from_slice(content));
        self.lock().write(key, Some(Content { kind: Some(kind.to_owned()), metadata: Some(metadata), tags, ..plain }));
    }

    /// Deletes an object and returns the ID of the marker.
    pub fn delete(&self, key: &str) -> String {
        self.lock().write(key, None)
    }

    /// Forgets a version, as an expiry rule does.
    pub fn expire(&self, key: &str, version: &str) {
        self.lock().keys.entry(key.to_owned()).or_default().retain(|kept| kept.id != version);
    }

    /// Content of the current object.
    #[must_use]
    pub fn current(&self, key: &str) -> Option<Bytes> {
        self.lock().current(key).map(|object| object.bytes.clone())
    }

    /// Content type, metadata and tags of the current object.
    #[must_use]
    pub fn described(&self, key: &str) -> (Option<String>, Option<Metadata>, Vec<(String, String)>) {
        let state = self.lock();
        let object = state.current(key).expect("it is there");
        (object.kind.clone(), object.metadata.clone(), object.tags.clone())
    }

    /// Versions and markers of a key.
    #[must_use]
    pub fn versions(&self, key: &str) -> usize {
        self.lock().keys.get(key).map_or(0, Vec::len)
    }

    /// Uploads that were begun and not ended.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// Begins an upload and leaves it, as a killed process does.
    pub fn leave_upload(&self, key: &str) {
        let mut state = self.lock();
        let id = format!("left{}", state.uploads.len());
        state.uploads.insert(id, (key.to_owned(), BTreeMap::new()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }
}

impl State {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.clock)
    }

    fn write(&mut self, key: &str, content: Option<Content>) -> String {
        self.number += 1;
        let id = if self.unversioned { "null".to_owned() } else { format!("v{:06}", self.number) };
        let version = Version { id: id.clone(), modified: self.now(), content };
        let versions = self.keys.entry(key.to_owned()).or_default();
        if self.unversioned {
            versions.clear();
            if version.content.is_none() {
                return id;
            }
        }
        versions.push(version);
        id
    }

    fn current(&self, key: &str) -> Option<&Content> {
        self.keys.get(key)?.last()?.content.as_ref()
    }

    fn find(&self, key: &str, id: Option<&str>) -> S3Result<(Version, Content)> {
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let found = match id {
            None => versions.last(),
            Some(id) => versions.iter().find(|version| version.id == id),
        };
        let found = found.ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok((found.clone(), found.content.clone().ok_or_else(|| s3_error!(NoSuchKey))?))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn object(bytes: Bytes) -> Content {
    let tag = hex(&Md5::digest(&bytes));
    Content { bytes, tag, kind: None, metadata: None, tags: Vec::new() }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let parts: Vec<Bytes> = body
        .ok_or_else(|| s3_error!(IncompleteBody))?
        .try_collect()
        .await
        .map_err(|error| s3_error!(BadDigest, "{error}"))?;
    Ok(parts.concat().into())
}

fn parsed(tagging: Option<&str>) -> Vec<(String, String)> {
    let pairs = tagging.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn small(number: usize) -> i64 {
    i64::try_from(number).expect("it is small")
}

#[async_trait]
impl S3 for FakeVersionedS3 {
    async fn get_bucket_versioning(
        &self,
        _: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let status = (!self.lock().unversioned).then(|| BucketVersioningStatus::from_static("Enabled"));
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..Default::default() }))
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let (input, state) = (request.input, self.lock());
        let prefix = input.prefix.unwrap_or_default();
        let all: Vec<(&String, &Version, bool)> = state
            .keys
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .flat_map(|(key, versions)| {
                versions.iter().rev().enumerate().map(move |(age, version)| (key, version, age == 0))
            })
            .collect();
        let marker = input.key_marker.zip(input.version_id_marker);
        let start = marker.map_or(0, |(key, id)| {
            all.iter().position(|(k, version, _)| **k == key && version.id == id).map_or(all.len(), |at| at + 1)
        });
        let page = &all[start..all.len().min(start + PAGE)];
        let more = start + page.len() < all.len();
        let mut output = ListObjectVersionsOutput { is_truncated: Some(more), ..Default::default() };
        if let Some((key, version, _)) = page.last().filter(|_| more) {
            output.next_key_marker = Some((*key).clone());
            output.next_version_id_marker = Some(version.id.clone());
        }
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for (key, version, latest) in page {
            let (key, id) = (Some((*key).clone()), Some(version.id.clone()));
            let (is_latest, last_modified) = (Some(*latest), Some(version.modified.into()));
            match &version.content {
                Some(content) => versions.push(ObjectVersion {
                    key,
                    version_id: id,
                    is_latest,
                    last_modified,
                    size: Some(small(content.bytes.len())),
                    e_tag: Some(ETag::Strong(content.tag.clone())),
                    ..Default::default()
                }),
                None => markers.push(DeleteMarkerEntry { key, version_id: id, is_latest, last_modified, owner: None }),
            }
        }
        output.versions = Some(versions);
        output.delete_markers = Some(markers);
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let (input, state) = (request.input, self.lock());
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.unwrap_or_default();
        let mut contents = Vec::new();
        let mut more = false;
        for (key, versions) in state.keys.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after) {
            let Some((version, content)) = versions.last().and_then(|v| Some((v, v.content.as_ref()?))) else {
                continue;
            };
            if contents.len() == PAGE {
                more = true;
                break;
            }
            contents.push(Object {
                key: Some(key.clone()),
                size: Some(small(content.bytes.len())),
                last_modified: Some(version.modified.into()),
                e_tag: Some(ETag::Strong(content.tag.clone())),
                ..Default::default()
            });
        }
        let next = contents.last().and_then(|object| object.key.clone()).filter(|_| more);
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(more),
            next_continuation_token: next,
            contents: Some(contents),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let (version, object) = self.lock().find(&input.key, input.version_id.as_deref())?;
        let length = small(object.bytes.len());
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(futures::stream::iter([Ok::<_, std::io::Error>(object.bytes)]))),
            content_length: Some(length),
            last_modified: Some(version.modified.into()),
            e_tag: Some(ETag::Strong(object.tag)),
            version_id: Some(version.id),
            content_type: object.kind,
            metadata: object.metadata,
            tag_count: i32::try_from(object.tags.len()).ok().filter(|count| *count > 0),
            ..Default::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let (version, object) = self.lock().find(&input.key, input.version_id.as_deref())?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(small(object.bytes.len())),
            last_modified: Some(version.modified.into()),
            e_tag: Some(ETag::Strong(object.tag)),
            version_id: Some(version.id),
            content_type: object.kind,
            metadata: object.metadata,
            ..Default::default()
        }))
    }

    async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let (_, object) = self.lock().find(&request.input.key, request.input.version_id.as_deref())?;
        let tag = |(key, value): (String, String)| Tag { key: Some(key), value: Some(value) };
        let tag_set = object.tags.into_iter().map(tag).collect();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: None }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let plain = object(collect(input.body).await?);
        let tags = parsed(input.tagging.as_deref());
        let mut state = self.lock();
        if input.if_none_match.is_some() && state.current(&input.key).is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        let e_tag = Some(ETag::Strong(plain.tag.clone()));
        let written = Content { kind: input.content_type, metadata: input.metadata, tags, ..plain };
        let version_id = Some(state.write(&input.key, Some(written)));
        Ok(S3Response::new(PutObjectOutput { e_tag, version_id, ..Default::default() }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let CopySource::Bucket { key, version_id, .. } = input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let mut state = self.lock();
        let (_, object) = state.find(&key, version_id.as_deref())?;
        let wanted = input.copy_source_if_match.as_ref().and_then(ETagCondition::as_etag);
        let changed = wanted.is_some_and(|wanted| wanted.value() != object.tag);
        // The header comes through as it is: it is younger than this version of the protocol's library.
        let create = request.headers.contains_key("if-none-match");
        if changed || create && state.current(&input.key).is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        let e_tag = Some(ETag::Strong(object.tag.clone()));
        let id = state.write(&input.key, Some(object));
        let copy_object_result = Some(CopyObjectResult { e_tag, ..Default::default() });
        Ok(S3Response::new(CopyObjectOutput { copy_object_result, version_id: Some(id), ..Default::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        match input.version_id {
            Some(id) => self.expire(&input.key, &id),
            None => drop(self.delete(&input.key)),
        }
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut deleted = Vec::new();
        for gone in request.input.delete.objects {
            drop(self.delete(&gone.key));
            deleted.push(DeletedObject { key: Some(gone.key), ..Default::default() });
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut state = self.lock();
        state.number += 1;
        let id = format!("u{}", state.number);
        state.uploads.insert(id.clone(), (request.input.key, BTreeMap::new()));
        Ok(S3Response::new(CreateMultipartUploadOutput { upload_id: Some(id), ..Default::default() }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = collect(input.body).await?;
        let e_tag = Some(ETag::Strong(object(bytes.clone()).tag));
        let mut state = self.lock();
        let (_, parts) = state.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        parts.insert(input.part_number, bytes);
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let mut state = self.lock();
        let (key, parts) = state.uploads.remove(&request.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let digests: Vec<u8> = parts.values().flat_map(Md5::digest).collect();
        let tag = format!("{}-{}", hex(&Md5::digest(&digests)), parts.len());
        let whole = Content { tag, ..object(parts.into_values().collect::<Vec<_>>().concat().into()) };
        let e_tag = Some(ETag::Strong(whole.tag.clone()));
        state.write(&key, Some(whole));
        Ok(S3Response::new(CompleteMultipartUploadOutput { key: Some(key), e_tag, ..Default::default() }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.lock().uploads.remove(&request.input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = request.input.prefix.unwrap_or_default();
        let state = self.lock();
        let uploads = state.uploads.iter().filter(|(_, (key, _))| key.starts_with(&prefix));
        let uploads = uploads.map(|(id, (key, _))| MultipartUpload {
            key: Some(key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        });
        let uploads = Some(uploads.collect());
        Ok(S3Response::new(ListMultipartUploadsOutput { uploads, is_truncated: Some(false), ..Default::default() }))
    }
}
