using Forebay.Core;

namespace Forebay.Cli.Configuration;

/// <summary>A source without its query: what is mounted.</summary>
/// <param name="Scheme">Lower case: <c>s3 oss cos obs minio file</c>.</param>
/// <param name="Root">Bucket, or absolute directory for <c>file</c>.</param>
/// <param name="Prefix">Below the root; empty or ending with <c>/</c>.</param>
internal sealed record SourceUrl(string Scheme, string Root, string Prefix)
{
    /// <summary>Not given yet.</summary>
    public static SourceUrl None { get; } = new("", "", "");

    /// <summary>What can be mounted.</summary>
    public static readonly string[] Schemes = ["s3", "oss", "cos", "obs", "minio", "file"];

    /// <summary>What a source looks like, for messages.</summary>
    public const string Form = "s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=true or file:///DIRECTORY";

    /// <summary>For people; holds no secret because none is accepted in a URL.</summary>
    public override string ToString() => Scheme is "file" ? $"file://{Root}" : $"{Scheme}://{Root}/{Prefix}";

    /// <summary>Splits a URL.</summary>
    /// <param name="url">As a person wrote it. It is never quoted in a fault, because it may hold what should not be in it.</param>
    /// <param name="query">Names and values behind the <c>?</c>, decoded.</param>
    /// <param name="fault">Why it cannot be used.</param>
    public static SourceUrl? TryParse(string url, out IReadOnlyList<(string Name, string Value)> query, out string fault)
    {
        query = [];
        fault = "";
        int schemeEnd = url.IndexOf("://", StringComparison.Ordinal);
        if (schemeEnd <= 0)
        {
            fault = $"the source is not a URL; write {Form}.";
            return null;
        }

        string scheme = url[..schemeEnd].ToLowerInvariant();
        if (!Schemes.Contains(scheme, StringComparer.Ordinal))
        {
            string? nearest = NearestName.Find(scheme, Schemes);
            fault = $"sources of this scheme are not known; known are {string.Join(", ", Schemes)}"
                + (nearest is null ? "." : $" (did you mean {nearest}://?).");
            return null;
        }

        string rest = url[(schemeEnd + 3)..];
        int queryStart = rest.IndexOf('?', StringComparison.Ordinal);
        string place = queryStart < 0 ? rest : rest[..queryStart];
        query = queryStart < 0 ? [] : ParseQuery(rest[(queryStart + 1)..]);
        return scheme is "file" ? ParseFile(place, ref fault) : ParseBucket(scheme, place, ref fault);
    }

    private static SourceUrl? ParseFile(string place, ref string fault)
    {
        string path = Uri.UnescapeDataString(place);
        if (!path.StartsWith('/'))
        {
            fault = "a file source needs an absolute directory with three slashes: file:///DIRECTORY.";
            return null;
        }

        return new SourceUrl("file", path.Length > 1 ? path.TrimEnd('/') : path, "");
    }

    private static SourceUrl? ParseBucket(string scheme, string place, ref string fault)
    {
        int slash = place.IndexOf('/', StringComparison.Ordinal);
        string bucket = slash < 0 ? place : place[..slash];
        if (bucket.Contains('@', StringComparison.Ordinal))
        {
            fault = "credentials do not belong in a URL; give access-key-id and secret-access-key-file in the configuration, or AWS_* in the environment.";
            return null;
        }

        if (bucket.Length == 0 || bucket.Contains(':', StringComparison.Ordinal))
        {
            fault = $"the URL must begin with {scheme}://BUCKET; the server's address goes behind it as ?endpoint=https://HOST:PORT.";
            return null;
        }

        string prefix = slash < 0 ? "" : Uri.UnescapeDataString(place[(slash + 1)..]);
        if (prefix.Length > 0 && !prefix.EndsWith('/'))
        {
            prefix += "/";
        }

        return new SourceUrl(scheme, bucket, prefix);
    }

    private static List<(string, string)> ParseQuery(string query)
    {
        List<(string, string)> pairs = [];
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            pairs.Add(equals < 0 ? (pair, "") : (pair[..equals], Uri.UnescapeDataString(pair[(equals + 1)..])));
        }

        return pairs;
    }
}
