//! Writing the attachments: once for use, once as their backup.

use super::shard::Object;
use crate::layout::Layout;
use crate::sql::StoreError;
use crate::value::{Row, Value};

/// Writes every object into the live store and the backup; gives the rows of the mapping.
pub(super) fn write(layout: &Layout, objects: Vec<Object>) -> Result<Vec<Row>, StoreError> {
    let roots = [layout.objects(), layout.object_backups()];
    let mut mapping = Vec::with_capacity(objects.len());
    for object in objects {
        for root in &roots {
            let folder = root.join(&object.site);
            std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
            let path = folder.join(&object.id);
            std::fs::write(&path, &object.bytes).map_err(StoreError::io(&path))?;
        }
        mapping.push(vec![
            object.id.as_str().into(),
            object.site.as_str().into(),
            format!("{}/{}", object.site, object.id).into(),
            object.name.into(),
            Value::Int(object.bytes.len() as i64),
            blake3::hash(&object.bytes).to_hex().to_string().into(),
        ]);
    }
    Ok(mapping)
}
