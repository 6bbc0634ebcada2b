using System.Security.Cryptography;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Serve;

/// <summary>The key pair of a node that was given none: authentication is never off by accident.</summary>
internal static class GeneratedKey
{
    private const string IdLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private const string SecretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Adds a pair with rights on everything when there is none.</summary>
    /// <returns>The configuration to use, and the pair if one was made: it is printed once and never again.</returns>
    public static (ForebayConfiguration Configuration, KeyConfiguration? Generated) AddTo(ForebayConfiguration configuration)
    {
        if (configuration.Keys.Count > 0)
        {
            return (configuration, null);
        }

        // 80 and 238 bits; letters only, so that a pair is one word in every shell.
        KeyConfiguration key = new()
        {
            AccessKeyId = "FB" + RandomNumberGenerator.GetString(IdLetters, 16),
            SecretAccessKey = new Secret(RandomNumberGenerator.GetString(SecretLetters, 40)),
            Rights = KeyRights.ReadWrite,
        };
        return (configuration with { Keys = [key] }, key);
    }
}
