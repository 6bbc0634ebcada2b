using Forebay.Cli.Configuration;
using Forebay.Mounting.Options;

namespace Forebay.Cli.Mounting;

/// <summary>The source of a mount in all the forms that people write.</summary>
internal static class MountSource
{
    private const int MostNameLength = 63;
    private const int LeastNameLength = 3;

    /// <summary>The source as one URL with what the options say about reaching it; null with a fault.</summary>
    public static string? ToUrl(string source, MountOptions options, out string fault)
    {
        fault = "";
        string? url = source.Contains("://", StringComparison.Ordinal) ? source
            : source.StartsWith('/') ? $"file://{string.Join('/', source.Split('/').Select(Uri.EscapeDataString))}"
            : BucketUrl(source);
        if (url is null)
        {
            fault = $"\"{source}\" is no source; write {SourceUrl.Form}, {NodeSource.Form}, an absolute directory, or BUCKET:/PATH with -o url=https://HOST.";
            return null;
        }

        List<string> query = [];
        Add("endpoint", options.Url?.TrimEnd('/'));
        Add("region", options.Region);
        Add("path-style", options.PathStyle is { } style ? (style ? "true" : "false") : null);
        Add("anonymous", options.Anonymous ? "true" : null);
        Add("profile", options.Profile);
        return query.Count == 0 ? url : $"{url}{(url.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{string.Join('&', query)}";

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                query.Add($"{name}={Uri.EscapeDataString(value)}");
            }
        }
    }

    /// <summary>A name for the mount point in its worker: that of the bucket or of the last directory, as far as it can be one.</summary>
    public static string NameOf(string url)
    {
        string place = url[(url.IndexOf("://", StringComparison.Ordinal) + 3)..].Split('?')[0].TrimEnd('/');
        string part = url.StartsWith("file:", StringComparison.Ordinal) ? place[(place.LastIndexOf('/') + 1)..] : place.Split('/')[0];
        string name = string.Concat(part.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' ? c : '-')).Trim('-', '.');
        name = (name.Length > MostNameLength ? name[..MostNameLength] : name).TrimEnd('-', '.');
        return name.Length < LeastNameLength ? "mount" : name;
    }

    /// <summary><c>BUCKET</c>, <c>BUCKET:</c> or <c>BUCKET:/PATH</c>.</summary>
    private static string? BucketUrl(string source)
    {
        int colon = source.IndexOf(':', StringComparison.Ordinal);
        string bucket = colon < 0 ? source : source[..colon];
        string path = colon < 0 ? "" : source[(colon + 1)..].TrimStart('/');
        bool isBucket = bucket.Length > 0 && bucket.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
        return isBucket ? $"s3://{bucket}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}" : null;
    }
}
