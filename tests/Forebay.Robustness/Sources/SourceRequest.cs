using System.Globalization;

namespace Forebay.Robustness.Sources;

/// <summary>The head of one request to the source. Key pairs are not checked: <see cref="AccessKeyId"/> and <see cref="SessionToken"/> are what it shows, or null.</summary>
internal sealed record SourceRequest(string Method, string Path, string Query, long? From, long? To, string? IfMatch, string? AccessKeyId, string? SessionToken)
{
    /// <summary>Key of an object; empty for the bucket.</summary>
    public string Key => Path.IndexOf('/', 1) is var slash and > 0 ? Uri.UnescapeDataString(Path[(slash + 1)..]) : "";

    public bool IsRead => Method == "GET" && Key.Length > 0;

    /// <summary>A parameter of the query, decoded; empty when it is not there.</summary>
    public string Parameter(string name)
        => Uri.UnescapeDataString(Query.Split('&').FirstOrDefault(part => part.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..] ?? "");

    public static SourceRequest Parse(string head)
    {
        string[] lines = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] words = lines[0].Split(' ');
        string[] target = words[1].Split('?', 2);
        string? range = Header(lines, "Range");
        long? from = null, to = null;
        if (range is not null)
        {
            string[] bounds = range["bytes=".Length..].Split('-');
            from = long.Parse(bounds[0], CultureInfo.InvariantCulture);
            to = bounds[1].Length == 0 ? null : long.Parse(bounds[1], CultureInfo.InvariantCulture);
        }

        return new SourceRequest(words[0], target[0], target.Length > 1 ? target[1] : "", from, to, Header(lines, "If-Match"), AccessKeyIdOf(Header(lines, "Authorization")), Header(lines, "x-amz-security-token"));
    }

    private static string? AccessKeyIdOf(string? authorization)
    {
        const string name = "Credential=";
        int start = authorization?.IndexOf(name, StringComparison.Ordinal) ?? -1;
        return start < 0 ? null : authorization![(start + name.Length)..].Split('/')[0];
    }

    private static string? Header(string[] lines, string name)
        => Array.Find(lines, line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
}
