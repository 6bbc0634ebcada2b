using System.Text;
using Forebay.Core;

namespace Forebay.UnderStores;

/// <summary>The place a mount point leads to: an under-store and the prefix of its keys.</summary>
/// <remarks>
/// <para><c>s3://bucket/prefix?endpoint=…&amp;region=…&amp;path-style=true&amp;anonymous=true&amp;profile=…</c>, the presets
/// <c>oss:// cos:// obs:// minio://</c>, and <c>file:///directory</c>. Percent-encoding is undone in path and query; <c>+</c> is a plus.</para>
/// <para>A region that the URL leaves out comes from <c>AWS_REGION</c> or <c>AWS_DEFAULT_REGION</c>, for <c>s3</c> only.</para>
/// <para>Key pairs in a URL are refused, because URLs end in logs, shell histories and process lists.</para>
/// </remarks>
public sealed class UnderStoreUrl
{
    private static readonly string[] KnownOptions = ["endpoint", "region", "path-style", "anonymous", "profile"];

    private static readonly string[] SecretOptions =
    [
        "access-key", "access-key-id", "accesskey", "accesskeyid", "ak", "akid", "aksecret", "aws-access-key-id", "aws-secret-access-key", "aws-session-token",
        "key", "password", "secret", "secret-access-key", "secret-key", "secretaccesskey", "secretkey", "security-token", "session-token", "sk", "token",
        "x-amz-credential", "x-amz-security-token", "x-amz-signature",
    ];

    private UnderStoreUrl(UnderStoreOptions options, string prefix)
    {
        Options = options;
        Prefix = prefix;
    }

    /// <summary>The under-store.</summary>
    public UnderStoreOptions Options { get; }

    /// <summary>Put before every key: empty, or ends with <c>/</c>.</summary>
    public string Prefix { get; }

    /// <summary>Reads a URL.</summary>
    /// <param name="url">See the remarks of this class.</param>
    /// <param name="credentials">Key pair from the configuration; null for what the URL and the AWS chain say.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the sentence names the part that cannot be used.</exception>
    public static UnderStoreUrl Parse(string url, UnderStoreCredentials? credentials = null)
        => Parse(url, credentials, Environment.GetEnvironmentVariable);

    /// <summary>As the public overload, with an environment of the caller's.</summary>
    internal static UnderStoreUrl Parse(string url, UnderStoreCredentials? credentials, Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(url);
        int colon = url.IndexOf("://", StringComparison.Ordinal);
        if (colon <= 0)
        {
            throw Invalid("a source is written as a URL such as s3://bucket/prefix or file:///directory");
        }

        string scheme = url[..colon].ToLowerInvariant();
        string rest = url[(colon + 3)..];
        int question = rest.IndexOf('?', StringComparison.Ordinal);
        string place = question < 0 ? rest : rest[..question];
        int slash = place.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? place : place[..slash];
        if (authority.Contains('@', StringComparison.Ordinal))
        {
            throw Invalid($"a {scheme}:// URL must not hold a user name or key pair before '@'; give credentials in the configuration file, the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or a profile");
        }

        Dictionary<string, string> query = ParseQuery(question < 0 ? "" : rest[(question + 1)..], scheme is "file" ? [] : KnownOptions);
        string path = slash < 0 ? "" : Decode(place[slash..], "path");
        if (scheme is "file")
        {
            return new UnderStoreUrl(ParseDirectory(authority, path, credentials), "");
        }

        StorePreset preset = StorePreset.All.FirstOrDefault(p => string.Equals(p.Scheme, scheme, StringComparison.Ordinal))
            ?? throw Invalid($"the scheme '{scheme}' is not known; nearest is '{Nearest(scheme, [.. StorePreset.All.Select(p => p.Scheme), "file"])}'");
        return new UnderStoreUrl(ParseBucket(preset, authority, query, credentials, environment), NormalisePrefix(path));
    }

    private static UnderStoreOptions ParseDirectory(string authority, string path, UnderStoreCredentials? credentials)
    {
        if (authority is not ("" or "localhost"))
        {
            throw Invalid($"file://{authority}{path} names a host; a directory is written with three slashes, as in file:///{authority}{path}");
        }

        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
        {
            throw Invalid("file:// needs an absolute directory, as in file:///mnt/nas");
        }

        if (credentials is not null)
        {
            throw Invalid("a file:// source takes no credentials");
        }

        return new UnderStoreOptions { Kind = UnderStoreKind.Local, Scheme = "file", Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)) };
    }

    private static UnderStoreOptions ParseBucket(
        StorePreset preset, string bucket, Dictionary<string, string> query, UnderStoreCredentials? credentials, Func<string, string?> environment)
    {
        if (bucket.Length is 0 or > 255 || !bucket.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
        {
            throw Invalid($"{preset.Scheme}://{bucket} names no bucket; a bucket has letters, digits, '.', '-' and '_'");
        }

        bool anonymous = Flag(query, "anonymous") ?? false;
        query.TryGetValue("profile", out string? profile);
        if ((anonymous && (credentials is not null || profile is not null)) || (profile is not null && credentials is not null))
        {
            throw Invalid($"{preset.Scheme}://{bucket} has more than one of anonymous, profile and credentials; keep one");
        }

        string? endpoint = query.TryGetValue("endpoint", out string? given) ? CanonicalEndpoint(given) : null;
        string? region = query.GetValueOrDefault("region") ?? (preset.Scheme is "s3" ? FromEnvironment(environment) : null);
        if (region is not null && !IsRegion(region))
        {
            throw Invalid($"region '{region}' cannot be used; a region has letters, digits and '-'");
        }

        if (endpoint is null && preset.Scheme is "minio")
        {
            throw Invalid($"minio://{bucket} needs ?endpoint=http://host:port");
        }

        if (endpoint is null && region is null && preset.DefaultRegion is null)
        {
            throw Invalid($"{preset.Scheme}://{bucket} needs ?region=… or ?endpoint=…");
        }

        bool pathStyle = Flag(query, "path-style") ?? preset.DefaultPathStyle(endpoint, bucket);
        return new UnderStoreOptions
        {
            Kind = UnderStoreKind.S3,
            Scheme = preset.Scheme,
            Root = bucket,
            Endpoint = endpoint ?? preset.EndpointFormat?.Replace("{region}", region, StringComparison.Ordinal),
            Region = region ?? preset.DefaultRegion ?? RegionOfHost(endpoint) ?? "us-east-1",
            PathStyle = pathStyle,
            Anonymous = anonymous,
            Profile = profile,
            Credentials = credentials,
        };
    }

    /// <summary>True for a text that may stand in a host name and a signature's scope.</summary>
    internal static bool IsRegion(string region)
        => region.Length is > 0 and <= 64 && region.All(c => char.IsAsciiLetterOrDigit(c) || c is '-');

    private static string? FromEnvironment(Func<string, string?> environment)
    {
        string? region = environment("AWS_REGION");
        region = string.IsNullOrEmpty(region) ? environment("AWS_DEFAULT_REGION") : region;
        return string.IsNullOrEmpty(region) ? null : region;
    }

    /// <summary>Operators put the region into the host: <c>oss-cn-hangzhou.aliyuncs.com</c>, <c>cos.ap-guangzhou.myqcloud.com</c>.</summary>
    private static string? RegionOfHost(string? endpoint)
    {
        if (endpoint is null)
        {
            return null;
        }

        foreach (string label in new Uri(endpoint).Host.Split('.'))
        {
            string candidate = label.StartsWith("oss-", StringComparison.Ordinal) ? label[4..].Replace("-internal", "", StringComparison.Ordinal) : label;
            if (candidate.Count(c => c == '-') is 1 or 2 && IsRegion(candidate))
            {
                return candidate;
            }
        }

        return null;
    }

    private static string CanonicalEndpoint(string text)
    {
        string full = text.Contains("://", StringComparison.Ordinal) ? text : "https://" + text;
        if (!Uri.TryCreate(full, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
        {
            throw Invalid("option endpoint needs http://host[:port] or https://host[:port]");
        }

        if (uri.UserInfo.Length > 0)
        {
            throw Invalid("option endpoint must not hold a user name or key pair; give credentials in the configuration file or the environment");
        }

        if (uri.AbsolutePath is not "/" || uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw Invalid($"option endpoint must end after host and port, as in {uri.Scheme}://{uri.Authority}");
        }

        string host = uri.HostNameType == UriHostNameType.IPv6 ? uri.Host : uri.IdnHost;
        return uri.IsDefaultPort ? $"{uri.Scheme}://{host}" : $"{uri.Scheme}://{host}:{uri.Port}";
    }

    private static bool? Flag(Dictionary<string, string> query, string name)
    {
        if (!query.TryGetValue(name, out string? text))
        {
            return null;
        }

        return text switch
        {
            "" or "true" or "yes" or "1" => true,
            "false" or "no" or "0" => false,
            _ => throw Invalid($"option {name} needs true or false"),
        };
    }

    private static Dictionary<string, string> ParseQuery(string query, string[] known)
    {
        Dictionary<string, string> options = new(StringComparer.Ordinal);
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string name = Decode(equals < 0 ? pair : pair[..equals], "query").ToLowerInvariant().Replace('_', '-');
            if (Array.IndexOf(SecretOptions, name) >= 0)
            {
                throw Invalid($"option {name} must not be in a URL; give credentials in the configuration file, the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or a profile");
            }

            if (Array.IndexOf(known, name) < 0)
            {
                throw Invalid(known.Length == 0
                    ? $"option '{name}' is not known; a file:// source has none"
                    : $"option '{name}' is not known; nearest is '{Nearest(name, known)}' (known: {string.Join(", ", known)})");
            }

            string value = equals < 0 ? "" : Decode(pair[(equals + 1)..], name);
            if (value.Length == 0 && name is ("endpoint" or "region" or "profile"))
            {
                throw Invalid($"option {name} is empty");
            }

            if (!options.TryAdd(name, value))
            {
                throw Invalid($"option {name} is given twice");
            }
        }

        return options;
    }

    private static string NormalisePrefix(string path)
    {
        string prefix = path.Length == 0 ? "" : path[1..];
        return prefix.Length == 0 || prefix.EndsWith('/') ? prefix : prefix + "/";
    }

    private static string Decode(string text, string what)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = PercentEncoding.Decode(bytes, plusIsSpace: false);
        try
        {
            return length < 0 ? throw Invalid($"the {what} of the URL holds a '%' that is not followed by two hexadecimal digits; write %25 for a percent sign") : StrictUtf8.GetString(bytes, 0, length);
        }
        catch (DecoderFallbackException error)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"the {what} of the URL is not UTF-8", error);
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static string Nearest(string name, IEnumerable<string> known) => known.MinBy(candidate => Distance(name, candidate))!;

    /// <summary>Levenshtein distance, two rows.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }

    private static ForebayException Invalid(string what) => new(ErrorKind.InvalidArgument, what);

    /// <summary>The place without query and secrets.</summary>
    public override string ToString() => Options.Kind == UnderStoreKind.Local ? Options.DisplayName : $"{Options.Scheme}://{Options.Root}/{Prefix}";
}
