//! Whether two objects are equal, by what their stores say or by what is in them.

use object_store::{GetOptions, ObjectStoreExt};

use super::content::{hash, tagged};
use super::input::Content;
use super::listing::{Entry, failed};
use super::place::Place;
use super::tag::{Tagger, of_content};
use crate::answer::Trouble;

/// Objects up to this size are read rather than asked about: that costs as many requests.
const READ_AT_ONCE: u64 = 128 * 1024;

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Equal; the hash is known if the content was read.
    Equal(Option<blake3::Hash>),
    SizeDiffers,
    ContentDiffers,
}

/// Compares an object with the one of the same name elsewhere.
pub(super) async fn compare(
    from: &Place,
    theirs: &Entry,
    to: &Place,
    ours: &Entry,
    content: Content,
) -> Result<Compared, Trouble> {
    if theirs.size != ours.size {
        return Ok(Compared::SizeDiffers);
    }
    if content == Content::Size {
        return Ok(Compared::Equal(None));
    }
    if content == Content::Etag && from.s3.is_some() && to.s3.is_some() {
        let listed = theirs.e_tag.is_some() && ours.e_tag.is_some();
        if listed || theirs.size > READ_AT_ONCE {
            let (theirs, ours) = futures::try_join!(tag(from, theirs), tag(to, ours))?;
            if theirs.is_some() && theirs == ours {
                return Ok(Compared::Equal(None));
            }
        }
        // Tags that differ prove nothing: parts of another size or another key make another tag of the same content.
    }
    let file = if from.folder.is_some() { (from, theirs, to, ours) } else { (to, ours, from, theirs) };
    if let (Content::Etag, (at_hand, file, store, object)) = (content, file)
        && at_hand.folder.is_some()
        && store.s3.is_some()
        && (object.e_tag.is_some() || object.size > READ_AT_ONCE)
        && let Some(wanted) = tag(store, object).await?
        && let Some(tagger) = Tagger::like(&wanted, object.size)
    {
        // The file is read here, and the object only if its tag does not tell.
        let (tag, ours) = tagged(at_hand, file, tagger).await?;
        let equal = tag == wanted || hash(store, object).await? == ours;
        return Ok(if equal { Compared::Equal(Some(ours)) } else { Compared::ContentDiffers });
    }
    let (theirs, ours) = futures::try_join!(hash(from, theirs), hash(to, ours))?;
    Ok(if theirs == ours { Compared::Equal(Some(ours)) } else { Compared::ContentDiffers })
}

/// Returns an ETag that is made from the content alone: an MD5, or one of the MD5s of parts with their number.
async fn tag(place: &Place, entry: &Entry) -> Result<Option<String>, Trouble> {
    if let Some(tag) = &entry.e_tag {
        return Ok(of_content(tag));
    }
    let path = place.at(&entry.name)?;
    let meta = match &entry.version {
        None => place.store.head(&path).await,
        Some(_) => {
            let options = GetOptions { head: true, version: entry.version.clone(), ..GetOptions::default() };
            place.store.get_opts(&path, options).await.map(|read| read.meta)
        }
    };
    let meta = meta.map_err(|error| failed(place, path.as_ref(), &error))?;
    Ok(meta.e_tag.as_deref().and_then(of_content))
}
