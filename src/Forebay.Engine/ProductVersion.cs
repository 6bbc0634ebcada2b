using System.Reflection;

namespace Forebay.Engine;

/// <summary>Version of this build.</summary>
public static class ProductVersion
{
    /// <summary>For instance <c>0.1.0</c>.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
