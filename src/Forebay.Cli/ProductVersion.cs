using System.Reflection;

namespace Forebay.Cli;

/// <summary>The version of this build.</summary>
internal static class ProductVersion
{
    /// <summary>As in the project: <c>0.1.0</c>.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
