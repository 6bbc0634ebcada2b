using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Forebay.Cli.Configuration;

/// <summary>Where an edge listens.</summary>
/// <param name="Host">Address of an interface; <see cref="IPAddress.Any"/> for all of them.</param>
/// <param name="Port">TCP port; 0 takes a free one.</param>
internal sealed record ListenAddress(IPAddress Host, int Port)
{
    /// <summary>What an address looks like, for messages.</summary>
    public const string Form = "an address such as 127.0.0.1:9000, [::1]:9000, localhost:9000 or :9000 (all interfaces)";

    /// <summary>Reads an address; names other than localhost are refused, because they may stand for several interfaces.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ListenAddress? address)
    {
        address = null;
        text = text.Trim();
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > 65_535)
        {
            return false;
        }

        string name = text[..colon];
        IPAddress? host = name switch
        {
            "" or "*" => IPAddress.Any,
            "localhost" => IPAddress.Loopback,
            ['[', .., ']'] => IPAddress.TryParse(name[1..^1], out IPAddress? v6) ? v6 : null,
            _ => !name.Contains(':', StringComparison.Ordinal) && IPAddress.TryParse(name, out IPAddress? v4) ? v4 : null,
        };
        if (host is null)
        {
            return false;
        }

        address = new ListenAddress(host, port);
        return true;
    }

    /// <summary>True when only this machine can reach it.</summary>
    public bool IsLoopback => IPAddress.IsLoopback(Host);

    /// <inheritdoc/>
    public override string ToString() => new IPEndPoint(Host, Port).ToString();
}
