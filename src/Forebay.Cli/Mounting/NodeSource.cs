using System.Net;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Core;
using Forebay.DataPlane;

namespace Forebay.Cli.Mounting;

/// <summary>A running node as the source of a mount: <c>forebay://HOST:PORT/NAME/PREFIX</c>, where HOST:PORT is its admin address and NAME one of its mount points.</summary>
/// <remarks>The launcher asks the node once where its data is and hands workers the answer with the source, so that a successor waits for nobody.</remarks>
internal sealed record NodeSource
{
    /// <summary>What it looks like, for messages.</summary>
    public const string Form = "forebay://HOST:PORT/NAME/PREFIX with the node's admin address and one of its mount points";

    /// <summary>Environment variable of the key pair's first half, as for all that speaks to a node.</summary>
    public const string AccessKeyVariable = "FOREBAY_ACCESS_KEY_ID";

    /// <summary>Its second half.</summary>
    public const string SecretKeyVariable = "FOREBAY_SECRET_ACCESS_KEY";

    private const string Scheme = "forebay://";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Admin address of the node.</summary>
    public required Uri Admin { get; init; }

    /// <summary>Name of the mount point on the node.</summary>
    public required string Name { get; init; }

    /// <summary>Below it, as written in the URL: empty, or without slashes at its ends.</summary>
    public required string Prefix { get; init; }

    /// <summary>URL of its S3 endpoint; null until the node was asked.</summary>
    public string? S3 { get; init; }

    /// <summary>Path of the socket on which it lends cache files; null when it is not of this machine, or not for this user.</summary>
    public string? Socket { get; init; }

    /// <summary>True when the node runs on this machine: what it has is not stored a second time.</summary>
    public bool IsLocal => Socket is not null || (S3 is not null && IsLoopback(new Uri(S3)));

    /// <summary>True for a source of this kind, well written or not.</summary>
    public static bool Is(string source) => source.StartsWith(Scheme, StringComparison.Ordinal);

    /// <summary>Reads a source as a person or <see cref="ToArgument"/> wrote it; null with a fault.</summary>
    public static NodeSource? TryParse(string source, out string fault)
    {
        fault = $"\"{source}\" names no node; write {Form}.";
        string[] halves = source[Scheme.Length..].Split('?', 2);
        string[] parts = halves[0].Split('/', 3);
        if (parts is not [{ Length: > 0 } authority, { Length: > 0 } name, ..] || authority.Contains('@', StringComparison.Ordinal) || AdminClient.ParseAddress(authority) is not { } admin)
        {
            return null;
        }

        NodeSource node = new() { Admin = admin, Name = name, Prefix = parts.Length < 3 ? "" : parts[2].Trim('/') };
        if (halves.Length == 1)
        {
            return node;
        }

        foreach (string pair in halves[1].Split('&'))
        {
            string[] option = pair.Split('=', 2);
            string value = option.Length < 2 ? "" : Uri.UnescapeDataString(option[1]);
            switch (option[0])
            {
                case "s3" when AddressOf(value) is { } s3:
                    node = node with { S3 = s3 };
                    break;
                case "socket" when Path.IsPathRooted(value):
                    node = node with { Socket = value };
                    break;
                default:
                    fault = $"a forebay:// source takes no options behind a '?'; write {Form}.";
                    return null;
            }
        }

        return node;
    }

    /// <summary>Asks the node where its data is.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Unavailable"/>: no node answers, or its data cannot be reached from here.</exception>
    public async Task<NodeSource> ResolveAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using AdminClient client = new(Admin, AdminCredentials.None, time);
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        NodeEndpoints endpoints;
        try
        {
            endpoints = await client.GetEndpointsAsync(either.Token);
        }
        catch (AdminClientException e)
        {
            throw e.IsUnreachable ? NoNode("does not answer", e)
                : new ForebayException(ErrorKind.Unavailable, $"What answers at {Admin.Authority} is not the admin address of a node that can be mounted: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested)
        {
            throw NoNode($"has not answered within {Patience.TotalSeconds} s", e);
        }

        NodeSource found = this with
        {
            S3 = AddressOf(endpoints.S3) ?? throw new ForebayException(ErrorKind.Unavailable, $"The node at {Admin.Authority} does not say where its S3 endpoint is."),

            // Another machine's node may name a path at which one of this machine listens.
            Socket = endpoints.Socket is { } path && Path.IsPathRooted(path) && Guid.TryParse(endpoints.NodeId, out Guid id) && FileBorrower.NodeAt(path) == id ? path : null,
        };
        if (found.Socket is null && IsLoopback(new Uri(found.S3)) && !IsLoopback(Admin))
        {
            throw new ForebayException(
                ErrorKind.Unavailable,
                $"The node at {Admin.Authority} serves its data to its own machine only ({found.S3}): start it with --s3 0.0.0.0:{new Uri(found.S3).Port}, or, on that machine, mount forebay://127.0.0.1:{Admin.Port}/{Name}.");
        }

        return found;
    }

    /// <summary>The source for workers, with what the node has answered.</summary>
    public string ToArgument() => S3 is null ? ToString() : $"{this}?s3={Uri.EscapeDataString(S3)}{(Socket is null ? "" : $"&socket={Uri.EscapeDataString(Socket)}")}";

    /// <summary>The bucket of the node's S3 endpoint that this is.</summary>
    public string ToBucketUrl() => $"s3://{Name}/{Prefix}?endpoint={Uri.EscapeDataString(S3!)}&region=us-east-1&path-style=true";

    /// <summary>An error of the node's S3 endpoint in words for who mounts.</summary>
    public ForebayException Explain(ForebayException error) => error.Kind switch
    {
        ErrorKind.NotFound => new ForebayException(error.Kind, $"The node at {Admin.Authority} has no mount point '{Name}'; 'forebay ls / --admin {Admin.Authority}' lists what it has.", error),
        ErrorKind.AccessDenied => new ForebayException(
            error.Kind,
            $"The node at {Admin.Authority} refuses to let this key pair read '{Name}': set {AccessKeyVariable} and {SecretKeyVariable} to a pair of the node's that may ({error.Message}).",
            error),
        ErrorKind.Unavailable or ErrorKind.Timeout or ErrorKind.Throttled => new ForebayException(
            error.Kind, $"The node at {Admin.Authority} runs, but '{Name}' cannot be read at its S3 endpoint {S3}: look at 'forebay status --admin {Admin.Authority}' ({error.Message}).", error),
        _ => error,
    };

    /// <summary>For people.</summary>
    public override string ToString() => $"{Scheme}{Admin.Authority}/{Name}{(Prefix.Length == 0 ? "" : "/")}{Prefix}";

    private ForebayException NoNode(string how, Exception cause)
        => new(ErrorKind.Unavailable, $"The node at {Admin.Authority} {how}: start it with 'forebay serve', or look at the address; it is the admin address (port 9001 by default), not that of the S3 endpoint.", cause);

    private static string? AddressOf(string url) => Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri.GetLeftPart(UriPartial.Authority) : null;

    private static bool IsLoopback(Uri uri)
        => string.Equals(uri.Host, "localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(uri.Host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));
}
