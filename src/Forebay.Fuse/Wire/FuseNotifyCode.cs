namespace Forebay.Fuse;

/// <summary>Kinds of notifications. <c>enum fuse_notify_code</c>; sent in the place of the error.</summary>
internal enum FuseNotifyCode
{
    /// <summary>FUSE_NOTIFY_INVAL_INODE.</summary>
    InvalidateInode = 2,

    /// <summary>FUSE_NOTIFY_INVAL_ENTRY.</summary>
    InvalidateEntry = 3,

    /// <summary>FUSE_NOTIFY_DELETE.</summary>
    Delete = 6,

    /// <summary>FUSE_NOTIFY_RESEND, 7.40.</summary>
    Resend = 7,

    /// <summary>FUSE_NOTIFY_INC_EPOCH, 7.44.</summary>
    IncrementEpoch = 8,

    /// <summary>FUSE_NOTIFY_PRUNE, 7.45.</summary>
    Prune = 9,
}
