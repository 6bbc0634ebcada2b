using System.Security.Cryptography;
using System.Text;
using Forebay.Core;
using Microsoft.AspNetCore.Http;

namespace Forebay.Admin.Authentication;

/// <summary>Accepts <c>Authorization: Bearer TOKEN</c> with one fixed token (<c>FOREBAY_ADMIN_TOKEN</c>).</summary>
public sealed class BearerTokenAuthenticator : IAdminAuthenticator
{
    private const string Scheme = "Bearer ";

    private readonly byte[] _tokenHash;

    /// <summary>Creates the check.</summary>
    /// <param name="token">The token, at least 16 characters.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the token is too short to be a secret.</exception>
    public BearerTokenAuthenticator(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length < 16)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "The token of the admin API is shorter than 16 characters; take a longer one, for instance from 'openssl rand -hex 16'.");
        }

        _tokenHash = Hash(token);
    }

    /// <inheritdoc/>
    public ValueTask<AdminAuthentication> AuthenticateAsync(HttpRequest request, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        string? header = request.Headers.Authorization;
        if (header is null || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return new ValueTask<AdminAuthentication>(AdminAuthentication.NotMine);
        }

        // Hashes are compared, so that neither time nor length tells anything about the token.
        bool same = CryptographicOperations.FixedTimeEquals(Hash(header[Scheme.Length..].Trim()), _tokenHash);
        return new ValueTask<AdminAuthentication>(
            same ? AdminAuthentication.Accepted : AdminAuthentication.Rejected("The bearer token is not the node's FOREBAY_ADMIN_TOKEN."));
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
