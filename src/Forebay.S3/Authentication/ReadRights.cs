namespace Forebay.S3.Authentication;

/// <summary>What the endpoint's key pairs may read, for other edges of the node that must grant the same. Thread-safe.</summary>
public sealed class ReadRights
{
    private readonly Dictionary<string, (string Secret, Identity Identity)> _keys = new(StringComparer.Ordinal);
    private readonly bool _allowAnonymous;

    /// <summary>Takes the key pairs and grants of an endpoint.</summary>
    public ReadRights(S3Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _allowAnonymous = options.AllowAnonymous;
        foreach (AccessKeyOptions key in options.AccessKeys)
        {
            _keys.Add(key.Id, (key.Secret, new Identity(key.Id, key.Grants)));
        }
    }

    /// <summary>Secret of a key pair; null when there is none of this id.</summary>
    public string? SecretOf(string accessKeyId) => _keys.TryGetValue(accessKeyId, out (string Secret, Identity Identity) key) ? key.Secret : null;

    /// <summary>True when a request signed with this key pair (null: unsigned) may read an object.</summary>
    public bool MayRead(string? accessKeyId, string bucket, string key)
        => accessKeyId is null ? _allowAnonymous && Identity.Anonymous.MayRead(bucket, key)
            : _keys.TryGetValue(accessKeyId, out (string Secret, Identity Identity) holder) && holder.Identity.MayRead(bucket, key);
}
