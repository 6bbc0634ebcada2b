namespace Forebay.Admin.Client;

/// <summary>The node refused or failed, or could not be reached.</summary>
public sealed class AdminClientException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="kind">Word of the API (<c>notFound</c>…), or <see cref="Unreachable"/>.</param>
    /// <param name="message">One sentence.</param>
    /// <param name="requestId">The node's id of the request; null when it did not answer.</param>
    /// <param name="inner">The cause, or null.</param>
    public AdminClientException(string kind, string message, string? requestId, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        RequestId = requestId;
    }

    /// <summary>Kind of an error without an answer.</summary>
    public const string Unreachable = "unreachable";

    /// <summary>Word of the API, or <see cref="Unreachable"/>.</summary>
    public string Kind { get; }

    /// <summary>True when no node answered: whatever else is asked of it will fail as well.</summary>
    public bool IsUnreachable => string.Equals(Kind, Unreachable, StringComparison.Ordinal);

    /// <summary>The node's id of the request; null when it did not answer.</summary>
    public string? RequestId { get; }
}
