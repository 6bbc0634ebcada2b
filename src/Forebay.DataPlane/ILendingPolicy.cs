namespace Forebay.DataPlane;

/// <summary>Who may read what: the rights that signed requests have. Thread-safe.</summary>
public interface ILendingPolicy
{
    /// <summary>Secret of a key pair; null when there is none of this id.</summary>
    string? SecretOf(string accessKeyId);

    /// <summary>True when an object may be read.</summary>
    /// <param name="accessKeyId">A key pair that was proved; null for whoever shows none.</param>
    /// <param name="mount">Name of the mount point.</param>
    /// <param name="key">Key below it.</param>
    bool MayRead(string? accessKeyId, string mount, string key);
}
