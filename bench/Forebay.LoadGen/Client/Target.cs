using System.Globalization;
using System.Net;
using System.Text;

namespace Forebay.LoadGen.Client;

/// <summary>How requests prove who sends them.</summary>
internal enum Proof
{
    None,
    Header,
    Presigned,
}

/// <summary>
/// Where requests go and how they are written. Keys come from <c>--keys PATTERN --count N</c> (a <c>%0Nd</c> in the pattern is the number).
/// Signatures are made once per object before the clock starts; the server verifies each request all the same.
/// </summary>
internal sealed class Target
{
    private readonly Signer? _signer;
    private readonly Proof _proof;

    public Target(Arguments arguments)
    {
        EndPoint = arguments.EndPoint("to");
        Bucket = arguments.Text("bucket", "data");
        Pattern = arguments.Text("keys", "");
        Count = arguments.Number("count", 1);
        Range = arguments.Optional("range");
        _proof = arguments.Text("auth", "none") switch
        {
            "none" => Proof.None,
            "header" => Proof.Header,
            "presigned" => Proof.Presigned,
            string other => throw new UsageException($"--auth takes none, header or presigned, not '{other}'."),
        };
        if (_proof != Proof.None)
        {
            _signer = new Signer(EndPoint.ToString(), Secret("FOREBAY_ACCESS_KEY_ID"), Secret("FOREBAY_SECRET_ACCESS_KEY"));
        }
    }

    public IPEndPoint EndPoint { get; }

    public string Bucket { get; }

    public string Pattern { get; }

    public long Count { get; }

    public string? Range { get; }

    public string KeyAt(long index)
    {
        int percent = Pattern.IndexOf('%', StringComparison.Ordinal);
        if (percent < 0)
        {
            return Pattern;
        }

        int end = Pattern.IndexOf('d', percent);
        string width = Pattern[(percent + 2)..end];
        return string.Concat(Pattern.AsSpan(0, percent), index.ToString("D" + width, CultureInfo.InvariantCulture), Pattern.AsSpan(end + 1));
    }

    public byte[] Get(string key, string? range) => Request($"/{Bucket}/{Signer.EncodePath(key)}", "", range);

    public byte[] Request(string path, string query, string? range)
    {
        StringBuilder head = new();
        switch (_proof)
        {
            case Proof.Presigned:
                head.Append("GET ").Append(path).Append('?').Append(_signer!.Presign(path, query)).Append(" HTTP/1.1\r\nHost: ").Append(EndPoint);
                break;
            case Proof.Header:
                First().Append(_signer!.Headers(path, query));
                break;
            default:
                First();
                break;
        }

        if (range is not null)
        {
            head.Append("\r\nRange: bytes=").Append(range);
        }

        return Encoding.ASCII.GetBytes(head.Append("\r\n\r\n").ToString());

        StringBuilder First()
            => head.Append("GET ").Append(path).Append(query.Length > 0 ? "?" : "").Append(query).Append(" HTTP/1.1\r\nHost: ").Append(EndPoint);
    }

    private static string Secret(string variable)
        => Environment.GetEnvironmentVariable(variable) ?? throw new UsageException($"Set {variable} in the environment to sign requests.");
}
