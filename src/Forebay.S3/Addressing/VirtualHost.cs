namespace Forebay.S3.Addressing;

/// <summary>Finds the bucket in the host name (virtual-host style), <c>BUCKET.DOMAIN</c>.</summary>
internal sealed class VirtualHost
{
    private readonly string[] _suffixes;

    public VirtualHost(IReadOnlyList<string> domains)
    {
        _suffixes = new string[domains.Count];
        for (int i = 0; i < domains.Count; i++)
        {
            _suffixes[i] = "." + domains[i].Trim('.');
        }
    }

    /// <summary>The bucket, in lower case; null when the host names none (path style).</summary>
    public string? FindBucket(string host)
    {
        if (_suffixes.Length == 0)
        {
            return null;
        }

        ReadOnlySpan<char> name = host.AsSpan();
        int colon = name.LastIndexOf(':');
        if (colon >= 0 && !name[(colon + 1)..].Contains(']'))
        {
            name = name[..colon];
        }

        foreach (string suffix in _suffixes)
        {
            if (name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                return name[..^suffix.Length].ToString().ToLowerInvariant();
            }
        }

        return null;
    }
}
