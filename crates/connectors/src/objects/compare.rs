//! Whether two objects are equal, by what their stores say or by what is in them.

use object_store::{GetOptions, ObjectStoreExt};

use super::content::hash;
use super::input::Content;
use super::listing::{Entry, failed};
use super::place::Place;
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

/// Returns an ETag without its quotes, if it has the form of one that is made from the content.
pub(super) fn of_content(tag: &str) -> Option<String> {
    let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let (digest, parts) = bare.split_once('-').map_or((bare, None), |(digest, parts)| (digest, Some(parts)));
    let hex = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let counted = parts.is_none_or(|parts| parts.len() <= 5 && parts.parse::<u32>().is_ok_and(|parts| parts > 0));
    (hex && counted).then(|| bare.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::of_content;

    #[test]
    fn only_tags_made_from_content_count() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(of_content(&format!("\"{md5}\"")).as_deref(), Some(md5));
        assert_eq!(of_content(&format!("{}-12", md5.to_uppercase())), Some(format!("{md5}-12")));
        for other in ["W/\"d41d8cd98f00b204e9800998ecf8427e\"", "5f-18a-9c4e", "\"\"", "\"0x8DC\"", &format!("{md5}-x")]
        {
            assert_eq!(of_content(other), None, "{other}");
        }
    }
}
